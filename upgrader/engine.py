"""What the machine does: look, decide, move once, name the work. It can be killed at any instruction."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models import Q

from approvals import services as approvals
from approvals import trail
from approvals.errors import Refused
from fleet import errands
from releases.models import Release
from upgrader import alive, approval, between, budgets, calls, evidence, journal, rest, start_time, together
from upgrader.bounds import Bounds, passes_of
from upgrader.bounds import read as read_bounds
from upgrader.budgets import NoRoom
from upgrader.decide import Move, decide, waits
from upgrader.flow import BEGINS, OUTGOING, RUNS_WHILE_HELD
from upgrader.journal import MACHINE, Change
from upgrader.leads import observe_seconds
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.news import News
from upgrader.see import Looked, look
from upgrader.states import R, S, U, W
from upgrader.strategy import SpecError

log = logging.getLogger(__name__)
LIVE = (R.WAITING_APPROVAL, R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING, R.ROLLING_BACK)
GOES_ON = frozenset({R.UPGRADING, R.WAITING_PROMOTION, R.DRAINING})  # by itself or by a word
MOVES_A_CALL = 200  # a bound, so that a fault in decide can't spin
BEGINS_SOMETHING = (R.UPGRADING, W.UPGRADING, U.UPGRADING, U.READY)


def tick(*, now: datetime, news: News | None = None) -> list[int]:
    """Advance the live rollouts, with `news` those where there is any; one that fails does not stop the others. Return
    the ids of steps that are due.
    """
    approvals.expire(now=now)
    everyone = Rollout.objects.filter(state__in=LIVE).values_list("pk", flat=True)
    found = list(everyone) if news is None else news.due(LIVE, now=now)
    bounds = read_bounds(now) if found else None
    for rollout_id in found:
        with trail.about(rollout=rollout_id):
            try:
                advance(rollout_id, now=now, bounds=bounds)
            except Exception:
                log.exception("rollout %s could not be advanced", rollout_id)
    if news is None or news.may_call(now=now):
        call_out(now=now)
    return due(now=now)


def call_out(*, now: datetime) -> None:
    """Call people; a fault there stops no rollout."""
    try:
        calls.note(now=now)
    except Exception:
        log.exception("people could not be called")


def due(*, now: datetime) -> list[int]:
    """Ids of the steps that a worker may claim now, oldest first."""
    held = Q(upgrade__wave__rollout__state=R.HELD) & ~Q(name__in=RUNS_WHILE_HELD)
    free = Q(state=S.DUE, due_at__lte=now) | Q(state=S.CLAIMED, lease_until__lt=now)
    return list(StepRun.objects.filter(free).exclude(held).order_by("due_at", "pk").values_list("pk", flat=True)[:500])


def advance(rollout_id: int, *, now: datetime, bounds: Bounds | None = None) -> list[StepRun]:
    """Make every move that is due for one rollout; return the steps that were opened."""
    opened: list[StepRun] = []
    for _ in range(MOVES_A_CALL):
        try:
            looked = look(rollout_id, now=now, whole=False)
        except SpecError as unreadable:
            hold_unreadable(rollout_id, str(unreadable), now=now)
            return opened
        if looked.seen.state in GOES_ON and looked.rollout.release.state != Release.State.READY:
            approval.hold_if_unusable(looked.rollout, now=now)
            return opened
        evidence.note(looked, now=now)
        looked, step = thought(looked, bounds, now=now)
        if step is None:
            journal.note_waits(looked.rollout, waits(looked.seen))
            return opened
        try:
            opened += apply(looked, step, now=now)
        except journal.LostRace:
            continue  # somebody was faster: look again
        except NoRoom as no:
            journal.note_waits(looked.rollout, no.say)
            return opened
        except IntegrityError:
            return opened  # another rollout has the gateway: its turn comes
    raise RuntimeError(f"rollout {rollout_id} moved {MOVES_A_CALL} times in one call")


def thought(looked: Looked, bounds: Bounds | None, *, now: datetime) -> tuple[Looked, Move | None]:
    """The next move. Windows and freezes are asked only where something new would begin."""
    step = decide(looked.seen)
    if step is None or step.to not in BEGINS_SOMETHING:
        return looked, step
    rollout, known = looked.rollout, bounds or read_bounds(now)
    passes = passes_of(rollout.plan)
    said = (known.why_not(pool, passes) for pool in between.pools(rollout, rollout.plan))
    blocked = start_time.why_not(rollout.plan, now) or next((why.say for why in said if why), "")
    if not blocked:
        return looked, step
    looked = replace(looked, seen=replace(looked.seen, blocked=blocked))
    return looked, decide(looked.seen)


def apply(looked: Looked, step: Move, *, now: datetime) -> list[StepRun]:
    """Write one move. What was approved is looked at again before anything new begins."""
    if step.what != "rollout" and step.to in (W.UPGRADING, W.COMMITTING, U.UPGRADING, U.READY, U.COMMITTING):
        try:
            approval.check_use(looked.rollout, now=now, beginning=beginning(looked, step))
        except Refused as no:
            change = Change(looked.rollout, R.HELD, no.say, columns={"held_from": looked.rollout.state})
            return journal.move([change], actor=MACHINE, now=now)
    if step.to is U.UPGRADING:
        return begin(looked, step, now=now)
    whole = look(looked.rollout.pk, now=now) if step.to is R.ROLLING_BACK else looked
    changed = changes_of(whole, step, now=now)
    with transaction.atomic():  # no final verdict stays behind of a move that somebody else was faster with
        numbers = evidence.seal(looked, step, now=now)
        if step.to is R.ROLLING_BACK:
            changed = rest.asked_instead(whole, changed, now=now)
        return journal.move(changed, actor=MACHINE, now=now, evidence=numbers)


def beginning(looked: Looked, step: Move) -> list[int] | None:
    """The gateways of a move; None for a wave's, which is looked at in full."""
    return [looked.upgrades[pk].gateway_id for pk in step.ids] if step.what == "upgrade" else None


def begin(looked: Looked, step: Move, *, now: datetime) -> list[StepRun]:
    """Begin as many of the gateways as the budgets have room for. Raise NoRoom when that is none."""
    try:
        return begun(looked, step, now=now)
    except NoRoom as no:
        if not 0 < no.fits < len(step.ids):
            raise
        return begun(looked, replace(step, ids=step.ids[: no.fits]), now=now)


def begun(looked: Looked, step: Move, *, now: datetime) -> list[StepRun]:
    rows = [looked.upgrades[pk] for pk in step.ids]
    guard = partial(budgets.demand, rows, now=now)
    return journal.move(changes_of(looked, step, now=now), actor=MACHINE, now=now, guard=guard)


def changes_of(looked: Looked, step: Move, *, now: datetime) -> list[Change]:
    match step.what:
        case "rollout" if step.to is R.ROLLING_BACK:
            # Where the old slot is gone, going back starts the old release anew: a person says so, not a verdict.
            gone = [pk for pk, upgrade in looked.upgrades.items() if upgrade.old_retired_at is not None]
            return rollback_changes(looked, step.waves, step.reason, leave=(*step.leave, *gone))
        case "rollout":
            columns = {"held_from": looked.rollout.state} if step.to is R.HELD else {}
            return [Change(looked.rollout, step.to, step.reason, columns=columns)]
        case "wave":
            return wave_changes(looked, step, now=now)
        case _:
            return upgrade_changes(looked, step, now=now)


def wave_changes(looked: Looked, step: Move, *, now: datetime) -> list[Change]:
    wave = looked.waves[step.ids[0]]
    if step.to is W.OBSERVING:
        until = now + timedelta(seconds=observe_seconds(wave, looked.spec))
        return [Change(wave, step.to, step.reason, columns={"observe_until": until})]
    if step.stage is None:
        return [Change(wave, step.to, step.reason)]
    return next_share(looked, wave.pk, step.reason)


def next_share(looked: Looked, wave_id: int, reason: str) -> list[Change]:
    """The wave's next share of new clients: every gateway that carries the present one shifts again."""
    wave = looked.waves[wave_id]
    stage = wave.stage + 1
    wave_change = Change(wave, W.UPGRADING, reason, columns={"stage": stage, "observe_until": None})
    args = {"weight": wave.weights[stage]}
    shifts = [
        Change(upgrade, U.READY, reason, drop_steps=True, step="shift", args=args)
        for upgrade in looked.upgrades.values()
        if upgrade.wave_id == wave.pk and upgrade.state == U.OBSERVING
    ]
    return [wave_change, *shifts]


def upgrade_changes(looked: Looked, step: Move, *, now: datetime) -> list[Change]:
    """Several gateways go the same way at once; those that wait for a common shift get one moment for it."""
    rows = [looked.upgrades[pk] for pk in step.ids]
    if step.to is not U.READY:
        first = BEGINS.get(U(step.to), "")
        return [Change(row, step.to, step.reason, drop_steps=True, step=first) for row in rows]
    # Who only loses new users waits for nobody: the others take them already.
    ahead = [row for row in rows if row.way != OUTGOING]
    moment = now.timestamp() + together.lead(len(ahead))
    return [
        Change(row, U.READY, step.reason, step="shift", args={"weight": row.wave.weights[row.wave.stage], "at": moment})
        for row in rows
    ]


def rollback_changes(
    looked: Looked, wave_ids: tuple[int, ...], reason: str, *, leave: tuple[int, ...] = ()
) -> list[Change]:
    """The rollout, its waves and each gateway in one transaction: the restore steps are named at once.

    `looked` is whole. A gateway that a later rollout has taken is that one's; `leave` are others that stay.
    """
    waves = [wave for wave in looked.waves.values() if wave.pk in wave_ids and journal.legal(wave, W.ROLLING_BACK)]
    changes = [Change(looked.rollout, R.ROLLING_BACK, reason)]
    changes += [Change(wave, W.ROLLING_BACK, reason) for wave in waves]
    stay = {*leave, *(upgrade.id for wave in looked.seen.waves for upgrade in wave.upgrades if upgrade.overtaken)}
    for upgrade in looked.upgrades.values():
        if upgrade.wave_id in wave_ids and upgrade.pk not in stay and journal.legal(upgrade, U.ROLLING_BACK):
            changes.append(Change(upgrade, U.ROLLING_BACK, reason, drop_steps=True, step="restore"))
    return changes


def hold_unreadable(rollout_id: int, sentence: str, *, now: datetime) -> None:
    """Fail closed: a strategy that can't be read stops the rollout with the sentence."""
    approval.hold(Rollout.objects.get(pk=rollout_id), f"The strategy can't be read: {sentence}", now=now)


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
