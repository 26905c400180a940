"""Somebody's right to decide in another's hands, for a time and with a reason. The only writer of Delegation rows.

Who decides for another needs no right of his own. Nobody decides in the place of who asked (policy.py), and who was
given a right can't give it on: what counts is what the giver holds himself, at the moment when it is used.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from approvals import audit, persons, rights
from approvals.errors import Refused
from approvals.models import Actor, Delegation, Request, User

MOST = timedelta(days=30)
ENDS = "approvals.change_delegation"  # others' delegations, too


def in_force(now: datetime) -> QuerySet[Delegation]:
    """Delegations that stand at this moment, of people whose accounts are switched on."""
    standing = Delegation.objects.filter(begins_at__lte=now, ends_at__gt=now, ended_at=None)
    return standing.filter(giver__is_active=True, taker__is_active=True).select_related("giver", "taker")


@dataclass(frozen=True)
class Hand:
    """What is given: to whom, where ("all" or "pool:3"), from when to when, and why."""

    taker: User
    scope: str
    begins_at: datetime
    ends_at: datetime
    reason: str


def give(wish: Hand, *, by: User, actor: Actor, now: datetime) -> Delegation:
    """Hand over one's own right to decide. Refused with what is wrong."""
    if why := _why_not(wish, by, now):
        raise Refused(why)
    begins = max(wish.begins_at, now)
    with transaction.atomic():
        row = Delegation.objects.create(
            giver=by,
            taker=wish.taker,
            scope=wish.scope,
            begins_at=begins,
            ends_at=wish.ends_at,
            reason=wish.reason.strip()[:2000],
            made_at=now,
        )
        about = {"delegation": row.pk, "to": wish.taker.username, "scope": row.scope, "from": begins}
        about |= {"until": row.ends_at}
        audit.append("delegation.given", subject=f"user:{by.pk}", actor=actor, at=now, reason=row.reason, details=about)
    return row


def end(row: Delegation, *, by: User, actor: Actor, now: datetime) -> None:
    """Take a right back, or give it back. A yes that was given by it and is not used yet does not count any more."""
    mine = by.pk in (row.giver_id, row.taker_id)
    if not mine and not rights.may(by, ENDS, rights.EVERYTHING):
        raise Refused(f"Only {row.giver.username} or {row.taker.username} can end this.")
    with transaction.atomic():
        standing = Delegation.objects.filter(pk=row.pk, ended_at=None, ends_at__gt=now)
        if not standing.update(ended_at=now, ended_by=by):
            raise Refused("This has ended already.")
        about = {"delegation": row.pk, "to": row.taker.username, "scope": row.scope}
        audit.append("delegation.ended", subject=f"user:{row.giver_id}", actor=actor, at=now, details=about)


def choose(person: User, request: Request, *, asker: Collection[int], now: datetime) -> Delegation | None:
    """By whose right this person answers; None: by his own, or by none. Refused where it would be the asker's."""
    if rights.may(person, request.permission, request.scope):
        return None
    mine = holders(person, request.permission, request.scope, now=now)
    others = [it for it in mine if it.giver_id not in asker]
    if mine and not others:
        raise Refused(f"You decide for {mine[0].giver.username}, who asked for this. Somebody else has to decide.")
    return others[0] if others else None


def may(person: User, permission: str, scope: str, *, now: datetime) -> bool:
    """Whether somebody who holds the right on the scope has given his to this person."""
    return bool(holders(person, permission, scope, now=now))


def holders(person: User, permission: str, scope: str, *, now: datetime) -> list[Delegation]:
    """The delegations by which this person may decide what takes this right, the oldest first."""
    if not person.is_active:
        return []
    mine = in_force(now).filter(Q(scope=rights.EVERYTHING) | Q(scope=scope), taker=person).order_by("pk")
    return [it for it in mine if rights.may(it.giver, permission, scope)]


def taken(person: User, *, now: datetime) -> list[tuple[User, str]]:
    """Whose right to decide this person has, and where; what the giver may decide there is the caller's to ask."""
    return [(it.giver, it.scope) for it in in_force(now).filter(taker=person).order_by("pk")]


def _why_not(wish: Hand, by: User, now: datetime) -> str:
    if by.pk in persons.same([wish.taker.pk])[wish.taker.pk]:
        return "Choose another person: you have your own right already."
    if not wish.taker.is_active:
        return f"The account of {wish.taker.username} is switched off."
    if not wish.reason.strip():
        return "Say why you hand it over: it goes on the record."
    if not now < wish.ends_at or not wish.begins_at < wish.ends_at:
        return "It ends before it begins. Choose a later end."
    if wish.ends_at - max(wish.begins_at, now) > MOST:
        return f"Hand it over for at most {MOST.days} days."
    return ""
