"""A step from due to its end: claimed by lease, fenced, settled once. With journal.py the only writer of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import DateTimeField, F, Q, Value
from django.db.models.functions import Coalesce

from approvals import audit
from releases.models import Release
from upgrader import flow, live
from upgrader.journal import MACHINE, Change, IllegalMove, LostRace, legal, open_step, subject, write
from upgrader.leads import leads
from upgrader.models import StepRun, Upgrade
from upgrader.states import STEP_MOVES, R, S, U

RELEASE_TEXTS = ("manifest", "sums", "changelog", "provenance", "contents")


@dataclass(frozen=True)
class Claim:
    """A step that is ours until the lease ends; `fence` proves it to the gateway."""

    step: StepRun
    upgrade: Upgrade
    fence: int
    attempts: int


def claim(step_id: int, *, owner: str, now: datetime) -> Claim | None:
    """Take a due step, or one whose owner went silent. None: it is not due, or somebody else has it."""
    free = Q(state=S.DUE, due_at__lte=now) | Q(state=S.CLAIMED, lease_until__lt=now)
    with transaction.atomic():
        # The guard stands on the row's own columns: a join would let two workers win.
        taken = StepRun.objects.filter(free, pk=step_id).update(
            state=S.CLAIMED,
            owner=owner,
            attempts=F("attempts") + 1,
            started_at=Coalesce("started_at", Value(now, output_field=DateTimeField())),
        )
        if taken != 1:
            return None
        step = StepRun.objects.get(pk=step_id)
        upgrade = fresh(step.upgrade_id)
        step.fence, step.lease_until = drawn_fence(upgrade.gateway_id), lease(step.name, now)
        StepRun.objects.filter(pk=step_id).update(fence=step.fence, lease_until=step.lease_until)
    return Claim(step=step, upgrade=upgrade, fence=step.fence, attempts=step.attempts)


def fresh(upgrade_id: int, *, lock: bool = False) -> Upgrade:
    """An upgrade with the rows around it as they are now; what is long and rarely needed comes when it is asked for."""
    rows = Upgrade.objects.select_for_update(of=("self",)) if lock else Upgrade.objects.all()
    long = ("gateway__facts", "wave__rollout__plan", *(f"wave__rollout__release__{name}" for name in RELEASE_TEXTS))
    return rows.select_related("gateway", "wave__rollout__release").defer(*long).get(pk=upgrade_id)


def drawn_fence(gateway_id: int) -> int:
    """The gateway's next fence. Nobody else can draw the same: the row is ours until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE fleet_gateway SET fence = fence + 1 WHERE id = %s RETURNING fence", [gateway_id])
        return int(cursor.fetchone()[0])


def lease(step: str, now: datetime) -> datetime:
    return now + timedelta(seconds=flow.LEASE_SECONDS.get(step, flow.LEASE_DEFAULT))


def renew(claimed: Claim, *, now: datetime, progress: Mapping[str, Any]) -> bool:
    """Prolong the lease and show progress. False: the step is no longer ours."""
    ours = StepRun.objects.filter(pk=claimed.step.pk, state=S.CLAIMED, fence=claimed.fence)
    kept = ours.update(lease_until=lease(claimed.step.name, now), progress=dict(progress)) == 1
    if kept:
        with transaction.atomic():
            live.publish(f"rollout:{claimed.upgrade.wave.rollout_id}")
    return kept


@dataclass(frozen=True)
class Settled:
    """How a run of a step ended. `wait` is the seconds until it is due again when `to` is DUE."""

    to: S
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    wait: float = 0.0
    columns: Mapping[str, Any] = field(default_factory=dict)  # of the upgrade; never its state


def settle(claimed: Claim, settled: Settled, *, now: datetime, go_on: GoOn | None = None) -> StepRun | None:
    """Write the end of a run and what follows from it; return the step that follows.

    With `go_on` the step that follows is claimed in the same transaction where `go_on` lets it; see `going_on`. Raise
    LostRace when the lease was lost: the work is then somebody else's to report.
    """
    step = claimed.step
    if settled.to not in STEP_MOVES[S.CLAIMED]:
        raise IllegalMove(f"step {step.pk}: claimed -> {settled.to}")
    with transaction.atomic():
        # The upgrade before its steps, as `move` takes them: the other way round is a deadlock on PostgreSQL.
        upgrade = fresh(step.upgrade_id, lock=True)
        # Our fence is on the row only while nobody else claimed it.
        if (
            StepRun.objects.filter(pk=step.pk, state=S.CLAIMED, fence=claimed.fence).update(
                state=settled.to,
                result=dict(settled.result),
                error=settled.error,
                progress={},
                due_at=now + timedelta(seconds=settled.wait),
                finished_at=None if settled.to == S.DUE else now,
            )
            != 1
        ):
            raise LostRace(f"step {step.pk} is no longer ours")
        if settled.columns:
            Upgrade.objects.filter(pk=upgrade.pk).update(**settled.columns)
            for name, value in settled.columns.items():
                setattr(upgrade, name, value)
        follows = None
        if settled.to in (S.DONE, S.FAILED):
            follows = follow(claimed, upgrade, settled, now=now)
            if follows is not None and go_on is not None and go_on.allows(follows):
                take(follows, owner=go_on.owner, now=now)
            record(claimed, settled, now=now)
        live.publish(f"rollout:{upgrade.wave.rollout_id}")
    return follows


@dataclass(frozen=True)
class GoOn:
    """Who settles a step wants to go on with the next one, if its name is among `steps`."""

    owner: str
    steps: frozenset[str]

    def allows(self, step: StepRun) -> bool:
        """As for any claim: nothing begins on hold, nor with a release that was withdrawn."""
        rollout = step.upgrade.wave.rollout
        if rollout.state == R.HELD and step.name not in flow.RUNS_WHILE_HELD:
            return False
        usable = rollout.release.state == Release.State.READY or step.name not in flow.USES_RELEASE
        return step.name in self.steps and usable


def take(step: StepRun, *, owner: str, now: datetime) -> None:
    """Claim the step that this transaction has opened: nobody else has seen it yet."""
    step.state, step.owner, step.attempts, step.started_at = S.CLAIMED, owner, 1, now
    step.lease_until, step.fence = lease(step.name, now), drawn_fence(step.upgrade.gateway_id)
    step.save(update_fields=["state", "owner", "attempts", "started_at", "lease_until", "fence"])


def going_on(step: StepRun | None) -> Claim | None:
    """The claim of the step that `settle` returned, if it took it."""
    if step is None or step.state != S.CLAIMED:
        return None
    return Claim(step=step, upgrade=step.upgrade, fence=step.fence, attempts=step.attempts)


def follow(claimed: Claim, upgrade: Upgrade, settled: Settled, *, now: datetime) -> StepRun | None:
    """Move the upgrade where the settled step leads, and open the next step."""
    if settled.to == S.FAILED:
        if legal(upgrade, U.FAILED):
            write(Change(upgrade, U.FAILED, settled.error), now)
        return None
    lead = leads(upgrade, claimed.step.name, now=now)
    if lead.state is not None:
        write(Change(upgrade, lead.state, str(settled.result.get("say", "")), columns=lead.columns), now)
        upgrade.state, upgrade.version = lead.state, upgrade.version + 1
    return open_step(upgrade, lead.step, lead.args, now) if lead.step else None


def record(claimed: Claim, settled: Settled, *, now: datetime) -> None:
    audit.append(
        f"step.{settled.to}",
        subject=subject(claimed.upgrade),
        actor=MACHINE,
        at=now,
        reason=settled.error or str(settled.result.get("say", "")),
        details={
            "rollout": claimed.upgrade.wave.rollout_id,
            "gateway": claimed.upgrade.gateway.name,
            "step": claimed.step.name,
            "fence": claimed.fence,
            "attempts": claimed.attempts,
            **({"cut": settled.columns["cut"]} if settled.columns.get("cut") else {}),
        },
    )
