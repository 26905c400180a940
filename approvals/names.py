"""Names of VPN users. The record holds pseudonyms for ever; the names behind them stand in a table of their own and go.

A pseudonym is drawn by lot: nothing leads from it to the name but the row, so without the row the name is forgotten,
and what was hashed stays as it is. It serves for a day: after that the same user has another one, so that what is left
behind tells little about anybody. The one writer of UserName.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from approvals import audit
from approvals.models import Actor, UserName
from approvals.story import Told

PREFIX = "user-"
SERVES = timedelta(days=1)
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_LENGTH = 12  # 31^12: two never meet
_WIDTH = 120  # of the column


def pseudonyms(names: Sequence[str], *, now: datetime) -> dict[str, str]:
    """Return name → what stands for it in the record; one is made for who has none. A pseudonym stands for itself."""
    wanted = {name for name in names if name}
    known = dict(UserName.objects.filter(pseudonym__in=wanted).values_list("pseudonym", "pseudonym"))
    fresh = UserName.objects.filter(name__in=wanted - set(known), made_at__gt=now - SERVES, made_at__lte=now)
    known |= {row.name: row.pseudonym for row in fresh.order_by("made_at")}
    made = [UserName(pseudonym=_drawn(), name=name, made_at=now) for name in sorted(wanted - set(known))]
    UserName.objects.bulk_create(made)
    return {"": "", **known, **{row.name: row.pseudonym for row in made}}


def hidden(pairs: Iterable[Iterable[str]], *, now: datetime) -> list[list[str]]:
    """[session, user, …] with pseudonyms for the users, and the rest as it is; two queries for all of them."""
    rows = [[str(part) for part in pair] for pair in pairs]
    stands = pseudonyms([row[1][:_WIDTH] for row in rows], now=now)
    return [[row[0], stands[row[1][:_WIDTH]], *row[2:]] for row in rows]


def behind(pseudonyms: Iterable[str]) -> dict[str, str]:
    """Pseudonym → name, of those that are still known."""
    wanted = {one for one in pseudonyms if one.startswith(PREFIX)}
    if not wanted:
        return {}
    return dict(UserName.objects.filter(pseudonym__in=wanted).values_list("pseudonym", "name"))


def told(rows: Iterable[Told]) -> list[Told]:
    """Events in words with the names that are still known, for a page; one query at most."""
    rows = list(rows)
    known = behind(set().union(*(said_in(row.details) for row in rows)))
    return [replace(row, details=shown(row.details, known)) for row in rows] if known else rows


def shown(details: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """The details of an event with names where they are known, for a page."""
    return {key: _named(value, known) for key, value in details.items()}


def said_in(details: Any) -> set[str]:
    """All pseudonyms in the details of an event."""
    if isinstance(details, str):
        return {details} if details.startswith(PREFIX) else set()
    items = details.values() if isinstance(details, Mapping) else details if isinstance(details, list | tuple) else ()
    return set().union(*(said_in(item) for item in items))


def forget(name: str, *, why: str, actor: Actor, now: datetime, complaints: int = 0) -> int:
    """Forget who is behind a name's pseudonyms, with an event that does not say the name; return how many that were.
    `complaints`: in how many the name was removed, too."""
    with transaction.atomic():
        count = UserName.objects.filter(name=name).delete()[0]
        if count or complaints:
            details = {"pseudonyms": count, "complaints": complaints}
            audit.append("names.forgotten", subject="names", actor=actor, at=now, reason=why, details=details)
    return count


def forget_old(now: datetime) -> int:
    """Forget the names whose time is over; return how many pseudonyms lost theirs."""
    with transaction.atomic():
        count = UserName.objects.filter(made_at__lt=now - timedelta(days=settings.NAMES_DAYS)).delete()[0]
        if count:
            details = {"pseudonyms": count, "days": settings.NAMES_DAYS}
            audit.append("names.expired", subject="names", actor=Actor.machine("names"), at=now, details=details)
    return count


def _drawn() -> str:
    return PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def _named(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return known.get(value, value)
    if isinstance(value, Mapping):
        return {key: _named(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_named(item, known) for item in value]
    return value
