"""Rolling back and aborting. Few gateways whose old slots are there go back at once; more than the budget allows to one
person, or one whose old slot is gone, need the yes of a second. That yes binds the exact gateways, and acts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Unpack

from django.db import transaction

from approvals import audit
from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet.phrases import count, listed
from upgrader import asking, engine, journal, later, policy_kinds, rights
from upgrader.back import agreed_cuts, because, digest_of, more_than, summary_of
from upgrader.decide import NEEDS_ROLLBACK
from upgrader.journal import Change, LostRace
from upgrader.models import Rollout, Upgrade
from upgrader.questions import most_alone
from upgrader.reach import DECIDE_WITHIN, KIND, Action, drop_cuts, drop_question, going_back, lock, reached
from upgrader.see import Looked, look
from upgrader.states import ACTION_STATES, ROLLOUT_MOVES, R, U

TRIES = 5  # steps that settle at the same moment move the rows that were seen


def roll_back(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Take back every gateway that this rollout has touched and that no later one has taken since."""
    person = asking.check_asked(rollout, "roll_back", actor=actor, seen_version=seen_version)
    looked = look(rollout.pk, now=now)
    if not (touched := reached(looked, "roll_back")):
        no_gateway = "No gateway carries this release by this rollout, so there is nothing to roll back."
        raise Refused(no_gateway)
    refuse_later(rollout, touched)
    said = reason or f"Rolled back by {person.username}."
    if why := second_person(looked, "roll_back"):
        ask(looked, "roll_back", by=person, actor=actor, reason=reason, why=why)
    else:
        go(rollout, "roll_back", reason=said, actor=actor, now=now)


def abort(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Stop for good: gateways whose old slot is there go back, those whose old slot is retired stay."""
    person = asking.check_asked(rollout, "abort", actor=actor, seen_version=seen_version)
    looked = look(rollout.pk, now=now)
    said = reason or f"Aborted by {person.username}."
    states = {U(upgrade.state) for upgrade in looked.upgrades.values()}
    if not states & NEEDS_ROLLBACK:
        refuse_under_way(looked)
        end(rollout, reason=said, actor=actor, now=now)
        return
    touched = reached(looked, "abort")
    if not touched:
        raise Refused(
            "Every gateway of this rollout has retired its old slot, so all would stay. Roll it back instead."
        )
    refuse_later(rollout, touched)
    if why := second_person(looked, "abort"):
        ask(looked, "abort", by=person, actor=actor, reason=reason, why=why)
    else:
        go(rollout, "abort", reason=said, actor=actor, now=now)


def decide_back(rollout: Rollout, *, yes: bool, reason: str, digest: str, actor: Actor, now: datetime) -> None:
    """One person's yes or no to a rollback that somebody else asked for. The yes acts in the same transaction."""
    person = rights.demand(actor, "agree_back" if yes else "refuse_back", rollout.pool)
    request = rollout.back_request
    if request is None:
        raise Refused("Nobody asked for a rollback of this rollout, so there is nothing to decide.")
    if not yes:
        say(request, by=person, actor=actor, now=now, yes=False, reason=reason, digest=digest)
        return
    words: approvals.Words = {"yes": True, "reason": reason, "digest": digest}
    agree(rollout, request, lambda: say(request, by=person, actor=actor, now=now, **words), actor=actor, now=now)


def agree(rollout: Rollout, request: Request, answer: Callable[[], object], *, actor: Actor, now: datetime) -> None:
    """Give the yes by `answer` and begin the way back, in one transaction, if it is still what was asked."""
    action: Action = request.summary["action"]
    refuse_lost(request, action, rollout)
    with transaction.atomic():
        lock(rollout)
        looked = look(rollout.pk, now=now)
        changed = stale(looked, request, action)
        if not changed:
            answer()
            agreed = agreed_cuts(request.summary)
            asking.moved(changes(looked, action, request.summary["why"], agreed), actor=actor, now=now)
    if changed:
        approvals.void(request, reason=changed, actor=actor, now=now)
        raise Refused(f"{changed} Ask again.")


def say(request: Request, *, by: User, actor: Actor, now: datetime, **words: Unpack[approvals.Words]) -> None:
    approvals.decide(request, by=by, has_right=True, now=now, actor=actor, **words)


def go(rollout: Rollout, action: Action, *, reason: str, actor: Actor, now: datetime) -> None:
    """Begin the way back. While steps settle, rows move under our hands: look again and try again."""
    for _ in range(TRIES):
        looked = look(rollout.pk, now=now)
        if looked.rollout.version != rollout.version or not reached(looked, action):
            break
        if why := second_person(looked, action):
            raise Refused(f"{why} That came just now. Ask again.")
        try:
            opened = asking.written(changes(looked, action, reason), actor=actor, now=now)
        except LostRace:
            continue
        drop_question(rollout, reason="It goes back already.", actor=actor, now=now)
        drop_cuts(rollout, reason="It goes back already.", actor=actor, now=now)
        asking.hint_all(opened, rollout.pk)
        return
    asking.too_late(rollout.pk)


def end(rollout: Rollout, *, reason: str, actor: Actor, now: datetime) -> None:
    """Nothing of it is on any gateway: the rollout is over and none learns of it."""
    # One that could not be rolled back, and whose gateways were left out since, has gone back for all there is.
    to = R.ROLLING_BACK if rollout.state == R.FAILED else R.REJECTED
    with transaction.atomic():
        Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
        # The question before the record's tail, as who answers it takes them.
        if rollout.request is not None:
            approvals.void(rollout.request, reason="The rollout was aborted.", actor=actor, now=now)
        asking.moved([Change(rollout, to, reason)], actor=actor, now=now)


def changes(
    looked: Looked, action: Action, reason: str, agreed: Mapping[int, int] = MappingProxyType({})
) -> list[Change]:
    """The rollout, the waves concerned and each gateway, with its restore step.

    `agreed`: gateway → users who may be cut there. Nobody else is: a person's way back is bounded, a verdict's is not.
    """
    back = {upgrade.pk for upgrade in reached(looked, action)}
    waves = tuple({looked.upgrades[pk].wave_id for pk in back})
    every = engine.rollback_changes(looked, waves, reason)
    return [
        bounded(it, agreed)
        for it in every
        if (it.row.pk in back if isinstance(it.row, Upgrade) else journal.legal(it.row, it.to))
    ]


def bounded(change: Change, agreed: Mapping[int, int]) -> Change:
    if not isinstance(change.row, Upgrade) or change.row.way != "in_place":
        return change
    return replace(change, args={"cut_at_most": agreed.get(change.row.gateway_id, 0)})


def refuse_later(rollout: Rollout, touched: Sequence[Upgrade]) -> None:
    """A gateway that a later rollout has taken is that one's to take back first. Where one of the two never came past
    the preflight, nothing of it is there."""
    there = [upgrade.gateway_id for upgrade in touched if upgrade.to_slot is not None]
    others = later.after(rollout, there)
    if first := others.select_related("gateway", "wave__rollout__release").first():
        raise Refused(
            f"{first.gateway.name} was upgraded to {first.wave.rollout.release.name} since. Roll that one back first."
        )


def second_person(looked: Looked, action: Action) -> str:
    """Why a second person has to agree, as a sentence; "" when one is enough."""
    back = going_back(looked, action)
    gone, cut = sum(it.gone for it in back), sum(it.cut or 0 for it in back)
    return because(len(back), gone, most_alone(looked.rollout), cut=cut)


def ask(looked: Looked, action: Action, *, by: User, actor: Actor, reason: str, why: str) -> None:
    """Ask a second person, and hold the rollout until somebody has answered."""
    rollout, now = looked.rollout, looked.seen.now
    back = going_back(looked, action)
    summary = summary_of(rollout.plan, action, back) | {"why": reason, "because": why, "rollout": rollout.pk}
    with transaction.atomic():
        Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
        request = approvals.ask(
            kind=KIND,
            subject=f"rollout:{rollout.pk}",
            scope=f"pool:{rollout.pool_id}",
            permission="fleet.approve_rollout",
            digest=digest_of(rollout.pk, action, back),
            summary=summary,
            scopes=policy_kinds.scopes(rollout),
            by=by,
            now=now,
            actor=actor,
            decide_within=DECIDE_WITHIN,
        )
        note(rollout, request, why, actor=actor, now=now)
        about = {"rollout": rollout.pk, "request": request.pk, "action": action}
        audit.append(
            "rollback.asked", subject=f"rollout:{rollout.pk}", actor=actor, at=now, reason=reason, details=about
        )
    asking.hint_all([], rollout.pk)


def note(rollout: Rollout, request: Request, why: str, *, actor: Actor, now: datetime) -> None:
    """The question stands on the rollout, which is held where there is something to hold. Inside a transaction."""
    if R.HELD in ROLLOUT_MOVES[R(rollout.state)]:
        columns = {"held_from": rollout.state, "back_request": request}
        asking.moved([Change(rollout, R.HELD, why, columns=columns)], actor=actor, now=now)
    else:
        Rollout.objects.filter(pk=rollout.pk).update(back_request=request)


def stale(looked: Looked, request: Request, action: Action) -> str:
    """Why the question no longer fits what there is, as a sentence; "" while it does."""
    if looked.seen.state not in ACTION_STATES["agree_back"]:
        return f"The rollout {asking.STATE_WORDS[looked.seen.state]} by now."
    back, agreed = going_back(looked, action), agreed_cuts(request.summary)
    if digest_of(looked.rollout.pk, action, back, agreed) != request.digest:
        return "Gateways of this rollout have changed since it was asked."
    return more_than(agreed, back)


def refuse_under_way(looked: Looked) -> None:
    """A rollout ends when nothing of it is under way: whether that gateway came back is still to be seen."""
    names = [it.gateway.name for it in looked.upgrades.values() if it.state == U.ROLLING_BACK]
    if names:
        back = "is on its way" if len(names) == 1 else "are on their way"
        raise Refused(f"{listed(names, 8)} {back} back. Abort when that is done.")


def refuse_lost(request: Request, action: Action, rollout: Rollout) -> None:
    """Two people stand behind it: one whose right was taken away, or whose account was, is none of them."""
    asker = request.requested_by
    if asker == approvals.machine():
        return
    if not rights.holds(asker, action, rollout.pool):
        raise Refused(
            f"{asker.username} asked for this and may not roll back any more. Say no to it, and have somebody else ask."
        )


def told(summary: dict[str, Any]) -> str:
    """What was asked, in one line for lists."""
    return f"{count(len(summary['gateways']), 'gateway')} back to {' / '.join(summary['to'])}"
