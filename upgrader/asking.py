"""How every request of a person is checked, written and told to the workers: one way for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from django.db import IntegrityError, transaction

from approvals.errors import Refused
from approvals.models import Actor, User
from upgrader import hint, journal, rights
from upgrader.journal import Change, LostRace
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import ACTION_STATES, R

STATE_WORDS = {
    R.PLANNED: "is planned and not submitted",
    R.WAITING_APPROVAL: "waits for approval",
    R.UPGRADING: "is upgrading",
    R.WAITING_PROMOTION: "waits for a promotion",
    R.HELD: "is on hold",
    R.DRAINING: "is draining old slots",
    R.DONE: "is done",
    R.ROLLING_BACK: "is rolling back",
    R.ROLLED_BACK: "is rolled back",
    R.REJECTED: "was rejected",
    R.FAILED: "could not be rolled back",
}


def check_asked(rollout: Rollout, action: str, *, actor: Actor, seen_version: int) -> User:
    """Refuse a missing right, an old page and a wrong state, in that order, each with its sentence."""
    person = rights.demand(actor, action, rollout.pool)
    fresh = Rollout.objects.get(pk=rollout.pk)
    if fresh.version != seen_version:
        raise Refused(f"The page you saw is old: the rollout {STATE_WORDS[R(fresh.state)]}. {fresh.reason}")
    if R(fresh.state) not in ACTION_STATES[action]:
        raise Refused(
            f"The rollout {STATE_WORDS[R(fresh.state)]}; there is nothing to {rights.WORD.get(action, action)}."
        )
    rollout.refresh_from_db()
    return person


def moved(changes: Sequence[Change], *, actor: Actor, now: datetime) -> list[StepRun]:
    """Write a person's move and tell the workers; who was slower is told that somebody was faster."""
    rollout_id = journal.rollout_of(changes[0].row)
    try:
        opened = written(changes, actor=actor, now=now)
    except LostRace:
        too_late(rollout_id)
    hint_all(opened, rollout_id)
    return opened


def written(changes: Sequence[Change], *, actor: Actor, now: datetime) -> list[StepRun]:
    """Write a person's move. LostRace when a row was moved meanwhile: look again, or say so."""
    try:
        return journal.move(changes, actor=actor, now=now)
    except IntegrityError:
        raise Refused(works_there(changes))


def works_there(changes: Sequence[Change]) -> str:
    """Whose gateway it is now, and the way on: a failed step keeps a gateway until it is skipped there."""
    rows = [change.row for change in changes if isinstance(change.row, Upgrade)]
    others = Upgrade.objects.filter(gateway__in=[row.gateway_id for row in rows], busy=True)
    other = others.exclude(pk__in=[row.pk for row in rows]).select_related("gateway", "wave").first()
    if other is None:
        return "Another rollout worked on one of these gateways just now. Ask again."
    name = other.gateway.name
    return f"Rollout {other.wave.rollout_id} works on {name} now. Wait for it, or skip {name} there."


def too_late(rollout_id: int) -> NoReturn:
    row = Rollout.objects.get(pk=rollout_id)
    raise Refused(f"Somebody was faster: the rollout {STATE_WORDS[R(row.state)]}. {row.reason}")


def hint_all(opened: Sequence[StepRun], rollout_id: int) -> None:
    """Tell the workers what to do, once it can be read: at the end of the transaction, or now."""
    transaction.on_commit(lambda: _hint(opened, rollout_id), robust=True)


def _hint(opened: Sequence[StepRun], rollout_id: int) -> None:
    hint.run_steps(opened)
    if not opened:
        hint.advance(rollout_id)
