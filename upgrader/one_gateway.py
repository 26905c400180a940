"""What a person may ask about one gateway of a rollout: try again, leave out, take in again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from approvals.errors import Refused
from approvals.models import Actor
from fleet.phrases import count
from upgrader import approval, asking, journal, words
from upgrader.flow import BEGINS, INCOMING, OUTGOING
from upgrader.journal import Change
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.questions import most_alone
from upgrader.reach import exchanged
from upgrader.states import R, S, U, W
from upgrader.taking_back import refuse_later

CAN_SKIP = frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.FAILED})
"""These are taken back before they are left out; a planned one just is."""


def retry(rollout: Rollout, upgrade_id: int, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Try the step again that said no. A rollout that is held for this gateway alone goes on with it."""
    asking.check_asked(rollout, "retry", actor=actor, seen_version=seen_version)
    upgrade = one(rollout, upgrade_id)
    if upgrade.state != U.FAILED:
        raise Refused(f"{standing(upgrade)}; no step of it failed, so there is nothing to try again.")
    back = goes_on(rollout, upgrade, reason or f"{upgrade.gateway.name} is tried again.", now=now)
    with transaction.atomic():
        # The rollout before its steps, as `move` takes them: the other way round is a deadlock on PostgreSQL.
        Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
        again = journal.retry(upgrade, now=now)
        if again is None:
            raise Refused(f"{upgrade.gateway.name} has no failed step any more. Look at it again.")
        approval.check_again(rollout, [again], now=now)
        asking.moved([*back, again], actor=actor, now=now)
        asking.hint_all(list(StepRun.objects.filter(upgrade=upgrade, state=S.DUE)), rollout.pk)


def goes_on(rollout: Rollout, upgrade: Upgrade, reason: str, *, now: datetime) -> list[Change]:
    """The rollout's own move, where it waits for this gateway alone; it stays where others failed too."""
    if rollout.state == R.FAILED:
        return [Change(rollout, R.ROLLING_BACK, reason)]
    others = Upgrade.objects.filter(wave__rollout=rollout, state=U.FAILED).exclude(pk=upgrade.pk).exists()
    if rollout.state != R.HELD or others or asked_back(rollout):
        return []
    approval.check_use(rollout, now=now)
    return [Change(rollout, R(rollout.held_from), reason, columns={"held_from": ""})]


def asked_back(rollout: Rollout) -> bool:
    """A rollback waits for a second person: nothing goes on behind the back of that question."""
    return rollout.back_request is not None and rollout.back_request.state == "open"


def skip(rollout: Rollout, upgrade_id: int, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Leave one gateway out, with a reason; one that was touched goes back to its old release first."""
    asking.check_asked(rollout, "skip", actor=actor, seen_version=seen_version)
    upgrade = one(rollout, upgrade_id)
    if not reason.strip():
        raise Refused(f"Say why {upgrade.gateway.name} is left out: it goes on the record.")
    if upgrade.state == U.PLANNED:
        change = Change(upgrade, U.SKIPPED, reason)
    elif U(upgrade.state) in CAN_SKIP:
        refuse_later(rollout, [upgrade])
        refuse_cut(upgrade)
        columns, back = {"skip": True}, BEGINS[U.ROLLING_BACK]
        args = {"cut_at_most": 0} if upgrade.way == "in_place" else {}
        change = Change(upgrade, U.ROLLING_BACK, reason, columns=columns, drop_steps=True, step=back, args=args)
    elif upgrade.state == U.DONE and upgrade.way in (INCOMING, OUTGOING):
        raise Refused(f"The users of {upgrade.gateway.name} were moved for good. Roll back: both pools go together.")
    elif upgrade.state == U.DONE:
        raise Refused(f"{upgrade.gateway.name} has retired its old slot. Roll the rollout back to take it back.")
    else:
        raise Refused(f"{standing(upgrade)} already, so there is nothing to leave out.")
    with transaction.atomic():
        # Two people who leave out two gateways at the same moment are counted one after the other.
        Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
        refuse_one_by_one(rollout, upgrade)
        asking.moved([change], actor=actor, now=now)


def refuse_cut(upgrade: Upgrade) -> None:
    """Where one release at a time serves, going back ends every session: two people agree to that, by the number."""
    users = upgrade.gateway.sessions
    if users and upgrade.pk in exchanged([upgrade]):
        raise Refused(
            f"To take {upgrade.gateway.name} back cuts its {count(users, 'user')}, for one release at a time serves"
            " there. Roll the rollout back, or abort it: a second person is then asked."
        )


def refuse_one_by_one(rollout: Rollout, upgrade: Upgrade) -> None:
    """To take back gateways with users is a rollback, one by one too: one person alone may do that for so many only."""
    most = most_alone(rollout)
    if upgrade.kept is None or most is None:
        return
    before = Upgrade.objects.filter(wave__rollout=rollout, skip=True, kept__isnull=False).count()
    if before + 1 > most:
        back = f"{before} gateways of this rollout were" if before != 1 else "1 gateway of this rollout was"
        raise Refused(
            f"{back} taken back one by one, and {most} may be without a second person. Roll the rollout back, or abort"
            " it: a second person is then asked."
        )


def take_in(rollout: Rollout, upgrade_id: int, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> None:
    """Take a gateway in again that was left out before anything was done there, while its wave is not over."""
    person = asking.check_asked(rollout, "take_in", actor=actor, seen_version=seen_version)
    upgrade = one(rollout, upgrade_id)
    if upgrade.state != U.SKIPPED:
        raise Refused(f"{standing(upgrade)}, so there is nothing to take in again.")
    if upgrade.to_slot is not None or upgrade.skip:
        raise Refused(f"{upgrade.gateway.name} was taken back already. Plan it in the next rollout.")
    if upgrade.wave.state not in (W.PLANNED, W.UPGRADING):
        raise Refused(f"Wave {upgrade.wave.number} has gone on without it. Plan it in the next rollout.")
    said = reason or f"Taken in again by {person.username}."
    asking.moved([Change(upgrade, U.PLANNED, said)], actor=actor, now=now)


def one(rollout: Rollout, upgrade_id: int) -> Upgrade:
    """Return one upgrade of this rollout, with what its move needs."""
    rows = Upgrade.objects.filter(wave__rollout=rollout, pk=upgrade_id)
    upgrade = rows.select_related("gateway", "wave__rollout").first()
    if upgrade is None:
        raise Refused("This gateway is no part of the rollout.")
    return upgrade


def standing(upgrade: Upgrade) -> str:
    """How it is, as the beginning of a sentence."""
    return f"{upgrade.gateway.name} is {words.UPGRADE[U(upgrade.state)].say.lower()}"
