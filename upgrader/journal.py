"""The only writer of state. Each write is a compare-and-set with its audit event in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max, Q

from approvals import audit
from approvals.models import Actor
from fleet.models import Gateway
from upgrader import flow, live
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.states import ROLLOUT_MOVES, STEP_MOVES, UPGRADE_IDLE, UPGRADE_MOVES, WAVE_MOVES, R, S, U, W

Row = Rollout | Wave | Upgrade
MACHINE = Actor.machine("controller")


class IllegalMove(Exception):
    """No table allows this move: a bug, or a caller that did not ask what is legal."""


class LostRace(Exception):
    """The row is no longer where it was seen. Look again."""


@dataclass(frozen=True)
class Change:
    """One row's move, with what goes with it: other columns, steps that are dropped, the step that is opened."""

    row: Row
    to: R | W | U
    reason: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    drop_steps: bool = False
    step: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


def subject(row: Row | StepRun) -> str:
    return f"{type(row).__name__.lower()}:{row.pk}"


def rollout_of(row: Row) -> int:
    match row:
        case Rollout():
            return row.pk
        case Wave():
            return row.rollout_id
        case _:
            return row.wave.rollout_id


def legal(row: Row, to: R | W | U) -> bool:
    match row:
        case Rollout():
            return to in ROLLOUT_MOVES[R(row.state)]
        case Wave():
            return to in WAVE_MOVES[W(row.state)]
        case _:
            return to in UPGRADE_MOVES[U(row.state)]


def write(change: Change, now: datetime) -> None:
    """Compare-and-set of one row. Raise IllegalMove or LostRace."""
    row, columns = change.row, dict(change.columns)
    if not legal(row, change.to):
        raise IllegalMove(f"{subject(row)}: {row.state} -> {change.to}")
    if isinstance(row, Upgrade):
        columns["busy"] = change.to not in UPGRADE_IDLE
    # The row moves only if it is still where we saw it.
    if (
        type(row)
        .objects.filter(pk=row.pk, state=row.state, version=row.version)
        .update(state=change.to, version=F("version") + 1, since=now, reason=change.reason, **columns)
        != 1
    ):
        raise LostRace(f"{subject(row)} left {row.state}")


def open_step(upgrade: Upgrade, name: str, args: Mapping[str, Any], now: datetime) -> StepRun:
    last = StepRun.objects.filter(upgrade=upgrade).aggregate(last=Max("ordinal"))["last"] or 0
    return StepRun.objects.create(upgrade=upgrade, ordinal=last + 1, name=name, args=dict(args), due_at=now)


def move(
    changes: Sequence[Change],
    *,
    actor: Actor,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> list[StepRun]:
    """Write all changes or none, record each, and return the steps that were opened."""
    opened: list[StepRun] = []
    with transaction.atomic():
        for change in changes:
            write(change, now)
            if change.drop_steps and isinstance(change.row, Upgrade):
                open_states = [S.DUE, S.CLAIMED, S.FAILED]
                change.row.steps.filter(state__in=open_states).update(state=S.DROPPED, finished_at=now)
            if change.step and isinstance(change.row, Upgrade):
                opened.append(open_step(change.row, change.step, change.args, now))
        for change in changes:
            audit.append(
                f"{type(change.row).__name__.lower()}.moved",
                subject=subject(change.row),
                actor=actor,
                at=now,
                reason=change.reason,
                details={
                    "rollout": rollout_of(change.row),
                    "before": str(change.row.state),
                    "after": str(change.to),
                    **({"gateway": change.row.gateway.name} if isinstance(change.row, Upgrade) else {}),
                    **({"evidence": evidence} if evidence else {}),
                },
            )
        for rollout_id in {rollout_of(change.row) for change in changes}:
            live.publish(f"rollout:{rollout_id}")
        live.publish("inbox")
    return opened


@dataclass(frozen=True)
class Claim:
    """A step that is ours until the lease ends; `fence` proves it to the gateway."""

    step: StepRun
    upgrade: Upgrade
    fence: int
    attempts: int


def claim(step_id: int, *, owner: str, now: datetime) -> Claim | None:
    """Take a due step, or one whose owner went silent. None: it is not due, or somebody else has it."""
    step = StepRun.objects.filter(pk=step_id).first()
    if step is None:
        return None
    lease = now + timedelta(seconds=flow.LEASE_SECONDS.get(step.name, flow.LEASE_DEFAULT))
    free = Q(state=S.DUE, due_at__lte=now) | Q(state=S.CLAIMED, lease_until__lt=now)
    with transaction.atomic():
        # The guard stands on the row's own columns: a join would let two workers win.
        taken = StepRun.objects.filter(free, pk=step_id).update(
            state=S.CLAIMED,
            owner=owner,
            lease_until=lease,
            attempts=F("attempts") + 1,
            started_at=step.started_at or now,
        )
        if taken != 1:
            return None
        upgrade = Upgrade.objects.select_related("gateway", "wave__rollout__release").get(pk=step.upgrade_id)
        Gateway.objects.filter(pk=upgrade.gateway_id).update(fence=F("fence") + 1)
        fence = Gateway.objects.values_list("fence", flat=True).get(pk=upgrade.gateway_id)
        StepRun.objects.filter(pk=step_id).update(fence=fence)
    step.refresh_from_db()
    return Claim(step=step, upgrade=upgrade, fence=fence, attempts=step.attempts)


def renew(claimed: Claim, *, now: datetime, progress: Mapping[str, Any]) -> bool:
    """Prolong the lease and show progress. False: the step is no longer ours."""
    lease = now + timedelta(seconds=flow.LEASE_SECONDS.get(claimed.step.name, flow.LEASE_DEFAULT))
    ours = StepRun.objects.filter(pk=claimed.step.pk, state=S.CLAIMED, fence=claimed.fence)
    kept = ours.update(lease_until=lease, progress=dict(progress)) == 1
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


def settle(claimed: Claim, settled: Settled, *, now: datetime) -> StepRun | None:
    """Write the end of a run and what follows from it; return the step that follows.

    Raise LostRace when the lease was lost: the work is then somebody else's to report.
    """
    step, upgrade = claimed.step, claimed.upgrade
    if settled.to not in STEP_MOVES[S.CLAIMED]:
        raise IllegalMove(f"step {step.pk}: claimed -> {settled.to}")
    with transaction.atomic():
        # The upgrade before its steps, as `move` takes them: the other way round is a deadlock on PostgreSQL.
        Upgrade.objects.select_for_update().filter(pk=upgrade.pk).first()
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
        follows = follow(claimed, settled, now=now) if settled.to in (S.DONE, S.FAILED) else None
        if settled.to in (S.DONE, S.FAILED):
            record(claimed, settled, now=now)
        live.publish(f"rollout:{upgrade.wave.rollout_id}")
    return follows


def follow(claimed: Claim, settled: Settled, *, now: datetime) -> StepRun | None:
    """Move the upgrade where the settled step leads, and open the next step."""
    upgrade = Upgrade.objects.select_related("wave", "gateway").get(pk=claimed.upgrade.pk)
    if settled.to == S.FAILED:
        if legal(upgrade, U.FAILED):
            write(Change(upgrade, U.FAILED, settled.error), now)
        return None
    way = str((claimed.upgrade.wave.rollout.plan.get("config") or {}).get("way", ""))
    follows = flow.after(claimed.step.name, U(upgrade.state), way)
    if follows.state is not None:
        write(Change(upgrade, follows.state, str(settled.result.get("say", ""))), now)
        upgrade.state = follows.state
    args = step_args(upgrade, follows.step)
    # A gateway that was rolled back before a slot was chosen has nothing to drain.
    if not follows.step or args.get("slot", 0) is None:
        return None
    return open_step(upgrade, follows.step, args, now)


def step_args(upgrade: Upgrade, step: str) -> dict[str, Any]:
    """What a step is asked, from the rows; fixed when the step is opened."""
    match step:
        case "shift":
            return {"weight": upgrade.wave.weights[upgrade.wave.stage]}
        case "drain" | "retire":
            # After a rollback the slot that empties is the new one.
            rolled_back = upgrade.state in (U.ROLLING_BACK, U.ROLLED_BACK)
            return {"slot": upgrade.to_slot if rolled_back else upgrade.from_slot}
        case _:
            return {}


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
        },
    )


def retry(upgrade: Upgrade, *, now: datetime) -> Change | None:
    """The change that lets a step that said no be tried again; None when there is no such step."""
    failed = upgrade.steps.filter(state=S.FAILED).order_by("-ordinal").first()
    if failed is None:
        return None
    StepRun.objects.filter(pk=failed.pk, state=S.FAILED).update(
        state=S.DUE, due_at=now, attempts=0, error="", finished_at=None
    )
    return Change(upgrade, flow.STATE_DURING[failed.name], f"{failed.name} is tried again.")
