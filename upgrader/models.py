"""How it spreads. State columns are written by journal.py only."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from approvals.models import Request
from fleet.models import Gateway, Pool
from releases.models import ConfigRevision, Release
from upgrader.states import Outcome, R, S, U, W
from upgrader.webhook_models import WebhookDelivery as WebhookDelivery
from upgrader.webhook_models import WebhookEndpoint as WebhookEndpoint


def choices(states: type[R | W | U | S | Outcome]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in states]


class Strategy(models.Model):
    """How a release spreads, as versioned data. `spec` is checked by strategy.parse_spec."""

    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=120)
    spec = models.JSONField()
    source = models.TextField(blank=True)  # the YAML as it was brought; "" for one that a program made
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    added_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)  # no new rollout takes it

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
    back_request = models.ForeignKey(Request, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    promoted_to = models.PositiveSmallIntegerField(default=0)  # a person has let waves up to this number start
    waits = models.TextField(blank=True)  # why nothing new begins now (window, freeze, budget); "" when it may
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
    observe_seconds = models.PositiveIntegerField(null=True, blank=True)  # None: the strategy's
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
    way = models.CharField(max_length=10, default="handover")  # a name in flow.TRAFFIC: how users are moved
    from_release = models.CharField(max_length=64)
    from_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    to_slot = models.PositiveSmallIntegerField(null=True, blank=True)
    trial_until = models.DateTimeField(null=True, blank=True)  # the dead man, on our clock
    before = models.JSONField(default=list)  # ids of the sessions at the moment before the first shift
    kept = models.PositiveIntegerField(null=True, blank=True)  # of `before`, still on when last looked
    left = models.JSONField(default=list)  # of `before`, signed out by themselves: neither kept nor cut
    cut = models.JSONField(default=list)  # [id, user] of each session that we ended
    drain_until = models.DateTimeField(null=True, blank=True)  # the drain's deadline; set when it begins
    drain_extended = models.PositiveSmallIntegerField(default=0)  # how often it was moved on
    cut_at_most = models.PositiveIntegerField(default=0)  # users who may be cut here, as people agreed
    cut_request = models.ForeignKey(Request, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    skip = models.BooleanField(default=False)  # when it is taken back, it is left out and not rolled back
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


class Window(models.Model):
    """When rollouts may begin something. A pool with no window of its own has the fleet's (pool empty); without any,
    they may at all times. `rules` is checked by windows.parse_rules."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, null=True, blank=True, related_name="windows")
    title = models.CharField(max_length=120)
    zone = models.CharField(max_length=64)  # "Europe/Berlin"
    rules = models.JSONField()  # [{"days": ["mon", …], "from": "22:00", "until": "04:00"}]
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # its row stays for the record

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Freeze(models.Model):
    """From when to when nothing new begins, on one pool or on all."""

    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, null=True, blank=True, related_name="freezes")
    reason = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)  # None: until somebody lifts it
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at"]

    def __str__(self) -> str:
        return f"freeze {self.pk}"


class Budget(models.Model):
    """What may be out or at risk at the same time, over all rollouts, drains and outages: of the fleet (pool empty),
    and of a pool. A fleet without a budget starts nothing. Equal is allowed everywhere."""

    pool = models.OneToOneField(Pool, on_delete=models.CASCADE, null=True, blank=True, related_name="budget")
    gateways_percent = models.PositiveSmallIntegerField()  # of its gateways, rounded up
    sessions = models.PositiveIntegerField(null=True, blank=True)  # on gateways that are out or in hand; None: any
    rollback_gateways = models.PositiveIntegerField(null=True, blank=True)  # more need a second person; None: none do
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Two empty pools are not equal for a plain constraint.
            models.UniqueConstraint(Coalesce("pool", 0), name="one_budget_a_pool_and_one_for_the_fleet"),
            models.CheckConstraint(
                condition=Q(gateways_percent__gte=1, gateways_percent__lte=100), name="budget_is_a_percentage"
            ),
        ]

    def __str__(self) -> str:
        return f"budget of {self.pool_id or 'the fleet'}"
