"""What the machine does: look, decide, move once, name the work. It can be killed at any instruction."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import Q

from approvals import services as approvals
from approvals.errors import Refused
from fleet import errands
from releases.models import Release
from upgrader import alive, approval, evidence, journal
from upgrader.decide import Move, decide
from upgrader.flow import BEGINS, RUNS_WHILE_HELD
from upgrader.journal import MACHINE, Change
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.see import Looked, look
from upgrader.states import R, S, U, W
from upgrader.strategy import SpecError

log = logging.getLogger(__name__)
LIVE = (R.WAITING_APPROVAL, R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.ROLLING_BACK)
GOES_ON = frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.DRAINING})  # by itself or by a word
MOVES_A_CALL = 200  # a bound, so that a fault in decide.py can't spin


def tick(*, now: datetime) -> list[int]:
    """Advance every live rollout; one that fails does not stop the others. Return the ids of steps that are due."""
    approvals.expire(now=now)
    for rollout_id in Rollout.objects.filter(state__in=LIVE).values_list("pk", flat=True):
        try:
            advance(rollout_id, now=now)
        except Exception:
            log.exception("rollout %s could not be advanced", rollout_id)
    return due(now=now)


def due(*, now: datetime) -> list[int]:
    """Ids of the steps that a worker may claim now, oldest first."""
    held = Q(upgrade__wave__rollout__state=R.HELD) & ~Q(name__in=RUNS_WHILE_HELD)
    free = Q(state=S.DUE, due_at__lte=now) | Q(state=S.CLAIMED, lease_until__lt=now)
    return list(StepRun.objects.filter(free).exclude(held).order_by("due_at").values_list("pk", flat=True)[:500])


def advance(rollout_id: int, *, now: datetime) -> list[StepRun]:
    """Make every move that is due for one rollout; return the steps that were opened."""
    opened: list[StepRun] = []
    for _ in range(MOVES_A_CALL):
        try:
            looked = look(rollout_id, now=now)
        except SpecError as unreadable:
            hold_unreadable(rollout_id, str(unreadable), now=now)
            return opened
        if looked.seen.state in GOES_ON and looked.rollout.release.state != Release.State.READY:
            approval.hold_if_unusable(looked.rollout, now=now)
            return opened
        evidence.note(looked, now=now)
        step = decide(looked.seen)
        if step is None:
            return opened
        try:
            opened += apply(looked, step, now=now)
        except journal.LostRace:
            continue  # somebody was faster: look again
        except IntegrityError:
            return opened  # another rollout has the gateway: its turn comes
    raise RuntimeError(f"rollout {rollout_id} moved {MOVES_A_CALL} times in one call")


def apply(looked: Looked, step: Move, *, now: datetime) -> list[StepRun]:
    """Write one move. What was approved is looked at again before anything new begins."""
    if step.what != "rollout" and step.to in (W.UPGRADING, W.COMMITTING, U.UPGRADING, U.COMMITTING):
        try:
            approval.check_use(looked.rollout, now=now)
        except Refused as no:
            change = Change(looked.rollout, R.HELD, no.say, columns={"held_from": looked.rollout.state})
            return journal.move([change], actor=MACHINE, now=now)
    changes = changes_of(looked, step, now=now)
    numbers = evidence.seal(looked, step, now=now)
    return journal.move(changes, actor=MACHINE, now=now, evidence=numbers)


def changes_of(looked: Looked, step: Move, *, now: datetime) -> list[Change]:
    match step.what:
        case "rollout" if step.to is R.ROLLING_BACK:
            return rollback_changes(looked, step.waves, step.reason)
        case "rollout":
            columns = {"held_from": looked.rollout.state} if step.to is R.HELD else {}
            return [Change(looked.rollout, step.to, step.reason, columns=columns)]
        case "wave":
            return wave_changes(looked, step, now=now)
        case _:
            return [upgrade_change(looked, step)]


def wave_changes(looked: Looked, step: Move, *, now: datetime) -> list[Change]:
    wave = looked.waves[step.id]
    if step.to is W.OBSERVING:
        until = now + timedelta(seconds=looked.spec.observe_seconds)
        return [Change(wave, step.to, step.reason, columns={"observe_until": until})]
    if step.stage is None:
        return [Change(wave, step.to, step.reason)]
    return next_share(looked, wave.pk, step.reason)


def next_share(looked: Looked, wave_id: int, reason: str) -> list[Change]:
    """The wave's next share of new clients: every gateway of it shifts again."""
    wave = looked.waves[wave_id]
    stage = wave.stage + 1
    wave_change = Change(wave, W.UPGRADING, reason, columns={"stage": stage, "observe_until": None})
    args = {"weight": wave.weights[stage]}
    shifts = [
        Change(upgrade, U.UPGRADING, reason, drop_steps=True, step="shift", args=args)
        for upgrade in looked.upgrades.values()
        if upgrade.wave_id == wave.pk
    ]
    return [wave_change, *shifts]


def upgrade_change(looked: Looked, step: Move) -> Change:
    upgrade = looked.upgrades[step.id]
    return Change(upgrade, step.to, step.reason, drop_steps=True, step=BEGINS.get(U(step.to), ""))


def rollback_changes(looked: Looked, wave_ids: tuple[int, ...], reason: str) -> list[Change]:
    """The rollout, its waves and each gateway in one transaction: the restore steps are named at once."""
    waves = [looked.waves[wave_id] for wave_id in wave_ids]
    changes = [Change(looked.rollout, R.ROLLING_BACK, reason)]
    changes += [Change(wave, W.ROLLING_BACK, reason) for wave in waves]
    for upgrade in looked.upgrades.values():
        if upgrade.wave_id in wave_ids and journal.legal(upgrade, U.ROLLING_BACK):
            changes.append(Change(upgrade, U.ROLLING_BACK, reason, drop_steps=True, step="restore"))
    return changes


def hold_unreadable(rollout_id: int, sentence: str, *, now: datetime) -> None:
    """Fail closed: a strategy that can't be read stops the rollout with the sentence."""
    rollout = Rollout.objects.get(pk=rollout_id)
    if journal.legal(rollout, R.HELD):
        change = Change(
            rollout, R.HELD, f"The strategy can't be read: {sentence}", columns={"held_from": rollout.state}
        )
        journal.move([change], actor=MACHINE, now=now)


def end_leases(*, now: datetime) -> int:
    """End the leases of processes of this machine that are gone: nobody else will. Return how many.

    Only theirs: another worker may be at work here, and its steps must not be run twice.
    """
    claimed = StepRun.objects.filter(state=S.CLAIMED)
    gone = [name for name in set(claimed.values_list("owner", flat=True)) if alive.is_gone(name)]
    errands.end_leases(alive.is_gone, now=now)
    return claimed.filter(owner__in=gone).update(lease_until=now - timedelta(seconds=1))


def busy() -> list[int]:
    """Ids of the gateways that an upgrade is working on."""
    return list(Upgrade.objects.filter(busy=True).values_list("gateway_id", flat=True))
