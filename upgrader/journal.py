"""The only writer of state. Each write is a compare-and-set with its audit event in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction

from approvals import audit, sql
from approvals.models import Actor
from upgrader import flow, live
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.states import ROLLOUT_MOVES, UPGRADE_IDLE, UPGRADE_MOVES, WAVE_MOVES, R, S, U, W

Row = Rollout | Wave | Upgrade
MACHINE = Actor.machine("controller")
COUNTDOWN = re.compile(r" \(in [^)]*\)")


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
    seen = {"id": row.pk, "state": row.state, "version": row.version}
    values = {"state": change.to, "since": now, "reason": change.reason, **columns}
    # The row moves only if it is still where we saw it.
    if sql.update(type(row), seen, values, one_more=("version",)) != 1:
        raise LostRace(f"{subject(row)} left {row.state}")


def open_step(
    upgrade: Upgrade,
    name: str,
    args: Mapping[str, Any],
    now: datetime,
    *,
    ordinal: int = 0,
    taken: Mapping[str, Any] = MappingProxyType({}),
) -> StepRun:
    """Open a step; `taken` are the columns of a claim that comes with it. `ordinal` 0: the next one."""
    if not ordinal:
        ordinal = 1 + last_ordinal(upgrade)
    step = StepRun(upgrade=upgrade, ordinal=ordinal, name=name, args=dict(args), due_at=now, **taken)
    sql.insert(step)
    return step


def last_ordinal(upgrade: Upgrade) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT MAX(ordinal) FROM upgrader_steprun WHERE upgrade_id = %s", [upgrade.pk])
        return int(cursor.fetchone()[0] or 0)


def move(
    changes: Sequence[Change],
    *,
    actor: Actor,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
    guard: Callable[[], None] | None = None,
) -> list[StepRun]:
    """Write all changes or none, record each, and return the steps that were opened.

    `guard` is called first, inside the transaction: what it counts can't change before the changes are written.
    """
    opened: list[StepRun] = []
    with transaction.atomic():
        if guard is not None:
            guard()
        for change in changes:
            write(change, now)
            if change.drop_steps and isinstance(change.row, Upgrade):
                for state in (S.DUE, S.CLAIMED, S.FAILED):
                    mine = {"upgrade_id": change.row.pk, "state": state}
                    sql.update(StepRun, mine, {"state": S.DROPPED, "finished_at": now})
            if change.step and isinstance(change.row, Upgrade):
                opened.append(open_step(change.row, change.step, change.args, now))
        for change in changes:
            verb = f"{type(change.row).__name__.lower()}.moved"
            about = details(change, evidence)
            audit.append(verb, subject=subject(change.row), actor=actor, at=now, reason=change.reason, details=about)
        for rollout_id in {rollout_of(change.row) for change in changes}:
            live.publish(f"rollout:{rollout_id}")
        live.publish("inbox")
    return opened


def details(change: Change, evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the record says of one move besides who, when and why."""
    return {
        "rollout": rollout_of(change.row),
        "before": str(change.row.state),
        "after": str(change.to),
        **({"gateway": change.row.gateway.name} if isinstance(change.row, Upgrade) else {}),
        **({"evidence": evidence} if evidence else {}),
    }


def note_waits(rollout: Rollout, say: str) -> None:
    """Write down why nothing new begins now; a countdown in it that ticks is no news."""
    if COUNTDOWN.sub("", rollout.waits) == COUNTDOWN.sub("", say):
        return
    with transaction.atomic():
        Rollout.objects.filter(pk=rollout.pk).update(waits=say)
        live.publish(f"rollout:{rollout.pk}")


def retry(upgrade: Upgrade, *, now: datetime) -> Change | None:
    """The change that lets a step that said no be tried again; None when there is no such step."""
    failed = upgrade.steps.filter(state=S.FAILED).order_by("-ordinal").first()
    if failed is None:
        return None
    if failed.result.get("code") == "went_back":
        # What was to be committed carries nobody any more: users are sent there first.
        say, args = "Its new users are sent to the new release again.", {"weight": upgrade.wave.weights[-1]}
        return Change(upgrade, U.UPGRADING, say, drop_steps=True, step="shift", args=args)
    StepRun.objects.filter(pk=failed.pk, state=S.FAILED).update(
        state=S.DUE, due_at=now, attempts=0, error="", finished_at=None
    )
    return Change(upgrade, flow.STATE_DURING[failed.name], f"{failed.name} is tried again.")
