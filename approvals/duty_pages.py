"""What the pages of who is on call show. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from approvals import duty, duty_journal, rights
from approvals.duty import Duty
from approvals.models import Cover, Note, Shift, User
from approvals.roles import POOL
from approvals.selectors import told_of
from approvals.shifts import Span, spans
from approvals.windows import DAYS, zones

AHEAD = timedelta(days=14)
SHOWN = 2  # names in the header
VIEW = "fleet.view_pool"


@dataclass(frozen=True)
class Place:
    """One pool and who is on call for it now. `duty` None: it has no calendar, so the role counts at all times."""

    pk: int
    name: str
    duty: Duty | None


@dataclass(frozen=True)
class Turn:
    """One span of the weeks ahead, with names; nobody's is a gap."""

    begins: datetime
    ends: datetime
    names: tuple[str, ...]


def places(user: User, now: datetime) -> list[Place]:
    """Every pool that this person sees."""
    model = rights.SCOPES.get(POOL)
    pools = list(rights.rows(user, VIEW, model).order_by("pk")) if model else []
    known = duty.now_on_call([scope_of(pool.pk) for pool in pools], now)
    return [Place(pool.pk, str(pool), known.get(scope_of(pool.pk))) for pool in pools]


def head(user: User, now: datetime) -> list[Place]:
    """For the header of each page: pools with a calendar. Without any calendar it costs two queries."""
    scopes = {*Shift.objects.filter(ended_at=None).values_list("scope", flat=True).distinct()}
    scopes |= {*Cover.objects.filter(ended_at=None, ends_at__gt=now).values_list("scope", flat=True).distinct()}
    return [place for place in places(user, now) if place.duty] if scopes else []


def context(user: User, pool_id: int, now: datetime) -> dict[str, Any]:
    """The context of people/duty_page.html. Raise LookupError for a pool that this person does not see."""
    place = next((place for place in places(user, now) if place.pk == pool_id), None)
    if place is None:
        raise LookupError(pool_id)
    scope = scope_of(pool_id)
    holders = sorted(duty.holders_of([scope]).get(scope, {}).values(), key=lambda person: person.username)
    here = place.duty.people if place.duty else ()
    calendar = duty.calendars([scope], now).get(scope)
    return {
        "place": place,
        "turns": _turns(list(spans(calendar, now, now + AHEAD)), holders) if calendar else [],
        "shifts": [(row, duty.window_of(row) is not None) for row in _rows(Shift, scope)],
        "covers": _rows(Cover, scope).filter(ends_at__gt=now),
        "taken": Cover.objects.filter(scope=scope, taken=True).select_related("person", "relieved")[:5],
        "note": Note.objects.filter(scope=scope, used=None, by__in=here).select_related("by").first(),
        "holders": holders,
        "may_set": rights.may(user, duty_journal.SET, scope),
        "may_take": place.duty is not None and user in holders and tuple(here) != (user,),
        "is_here": user in here,
        "owed": [cover for cover in duty_journal.words_wanted(user) if cover.scope == scope],
        "events": told_of(scope, 20),
        "days": DAYS,
        "zones": zones(),
        "now": now,
    }


def scope_of(pool_id: int) -> str:
    return f"{POOL}:{pool_id}"


def _rows(model: Any, scope: str) -> Any:
    return model.objects.filter(scope=scope, ended_at=None).select_related("person")


def _turns(found: Sequence[Span], holders: Sequence[User]) -> list[Turn]:
    names = {person.pk: person.username for person in holders}
    return [
        Turn(span.begins, span.ends, tuple(sorted(names[pk] for pk in span.people if pk in names))) for span in found
    ]


def head_line(user: User, now: datetime) -> str:
    """Who is on call, in a few words for the header of every page; "" where no pool that one sees has a calendar."""
    known = head(user, now)
    gaps = [place.name for place in known if place.duty and not place.duty.people]
    mine = [place.name for place in known if place.duty and user in place.duty.people]
    names = sorted({person.username for place in known if place.duty for person in place.duty.people})
    if mine:
        return f"You are on call: {_few(mine)}"
    if gaps:
        return f"Nobody is on call: {_few(gaps)}"
    return f"On call: {_few(names)}" if names else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= SHOWN else f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more"
