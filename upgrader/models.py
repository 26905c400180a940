"""How it spreads. State columns are written by journal.py only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from approvals.models import Request
from fleet.models import Gateway, Pool
from releases.models import ConfigRevision, Release
from upgrader.states import Outcome, R, S, U, W


def choices(states: type[R | W | U | S | Outcome]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


class Strategy(models.Model):
    """How a release spreads, as versioned data. `spec` is checked by plan.parse_spec."""

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=120)
    spec = models.JSONField()

    class Meta:
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="strategy_versions")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Moving(models.Model):
    """What every row with a state carries; `since` and `reason` say when and why it came there."""

    version = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        abstract = True


class Rollout(Moving):
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="rollouts")
    strategy = models.ForeignKey(Strategy, on_delete=models.PROTECT, related_name="rollouts")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="rollouts")
    config = models.ForeignKey(ConfigRevision, on_delete=models.PROTECT, null=True, blank=True, related_name="rollouts")
    plan = models.JSONField()  # plan.Plan as data: exactly what was shown and is approved
    digest = models.CharField(max_length=64)  # SHA-256 of the canonical plan
    state = models.CharField(max_length=20, choices=choices(R), default=R.PLANNED)
    held_from = models.CharField(max_length=20, blank=True)  # where resume goes back to
    request = models.ForeignKey(Request, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rollouts")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state"], name="rollout_state")]
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="rollout_digest_is_sha256")
        ]

    def __str__(self) -> str:
        return f"{self.release_id} to {self.pool_id}"


class Wave(Moving):
    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="waves")
    number = models.PositiveSmallIntegerField()  # from 1
    state = models.CharField(max_length=20, choices=choices(W), default=W.PLANNED)
    weights = models.JSONField()  # [25, 100]: the shares of new clients, one after the other
    stage = models.PositiveSmallIntegerField(default=0)  # index into weights
    observe_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="wave_numbers")]

    def __str__(self) -> str:
        return f"wave {self.number} of {self.rollout_id}"


class Upgrade(Moving):
    """One gateway's upgrade."""

    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="upgrades")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="upgrades")
    state = models.CharField(max_length=20, choices=choices(U), default=U.PLANNED)
    busy = models.BooleanField(default=False)  # state is not idle; kept by journal.py for the constraint below
    from_release = models.CharField(max_length=64)
    from_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    to_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    trial_until = models.DateTimeField(null=True, blank=True)  # the dead man, on our clock
    before = models.JSONField(default=list)  # ids of the sessions at the moment before the first shift
    kept = models.PositiveIntegerField(null=True, blank=True)  # of `before`, still on when last looked
    left = models.JSONField(default=list)  # of `before`, signed out by themselves: neither kept nor cut
    cut = models.JSONField(default=list)  # [id, user] of each session that we ended
    old_retired_at = models.DateTimeField(null=True, blank=True)
    snapshot = models.CharField(max_length=255, blank=True)  # path below settings.SNAPSHOTS

    class Meta:
        ordering = ["wave__number", "gateway__name"]
        constraints = [
            models.UniqueConstraint(fields=["gateway"], condition=Q(busy=True), name="one_upgrade_a_gateway"),
            models.UniqueConstraint(fields=["wave", "gateway"], name="gateway_once_a_wave"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway_id} in {self.wave_id}"


class StepRun(models.Model):
    """One step of one upgrade: claimed by lease, settled once. Messages carry its id only."""

    upgrade = models.ForeignKey(Upgrade, on_delete=models.CASCADE, related_name="steps")
    ordinal = models.PositiveIntegerField()
    name = models.CharField(max_length=20)  # a module of upgrader/steps
    args = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=choices(S), default=S.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    owner = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    progress = models.JSONField(default=dict)  # {"say", "done", "total"}
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["ordinal"]
        indexes = [models.Index(fields=["state", "due_at"], name="step_due")]
        constraints = [
            models.UniqueConstraint(fields=["upgrade", "ordinal"], name="step_ordinals"),
            models.UniqueConstraint(
                fields=["upgrade"], condition=Q(state__in=["due", "claimed"]), name="one_open_step_an_upgrade"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.upgrade_id}"


class Verdict(models.Model):
    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="verdicts")
    stage = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=14, choices=choices(Outcome))
    sentence = models.TextField()
    numbers = models.JSONField()
    at = models.DateTimeField()
    final = models.BooleanField(default=False)  # the one that moved the wave; others are "so far"

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.outcome} for {self.wave_id}"
