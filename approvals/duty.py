"""Who is on call now, and whose role rests meanwhile. Reads only; what a calendar means is approvals/shifts.py."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from approvals.models import Cover, RoleGroup, Shift, User
from approvals.roles import ALL, ONCALL
from approvals.shifts import Calendar, Once, Weekly, changes_at, on_call
from approvals.windows import Window, WindowError, parse

log = logging.getLogger(__name__)
BY_SHIFT = tuple(role.name for role in ALL if role.by_shift)


@dataclass(frozen=True)
class Duty:
    """Who is on call on one scope now. `people` is empty in a gap; `until`: when that changes."""

    scope: str
    people: tuple[User, ...]
    until: datetime | None


def calendars(scopes: Collection[str], now: datetime) -> dict[str, Calendar]:
    """The calendar of each scope that has one now: a weekly shift, or a cover that counts at this moment."""
    weekly: dict[str, list[Weekly]] = {}
    once: dict[str, list[Once]] = {}
    for shift in Shift.objects.filter(scope__in=scopes, ended_at=None):
        kept = weekly.setdefault(shift.scope, [])
        if (window := window_of(shift)) is not None:
            kept.append(Weekly(shift.person_id, window))
    for cover in Cover.objects.filter(scope__in=scopes, ended_at=None, ends_at__gt=now):
        made = Once(cover.person_id, cover.begins_at, cover.ends_at, cover.made_at)
        once.setdefault(cover.scope, []).append(made)
    # A cover that is still to come does not put the others' role to rest until then.
    here = {*weekly, *(scope for scope, covers in once.items() if any(one.has(now) for one in covers))}
    return {scope: Calendar(tuple(weekly.get(scope, ())), tuple(once.get(scope, ()))) for scope in here}


def window_of(shift: Shift) -> Window | None:
    """When the shift is; None where it can't be read any more: then it is nobody's, and its page says so."""
    try:
        return parse(shift.zone, [{"days": shift.days, "from": shift.start, "until": shift.until}])
    except WindowError as wrong:
        log.warning("shift %s on %s can't be read: %s", shift.pk, shift.scope, wrong)
        return None


def now_on_call(scopes: Collection[str], now: datetime) -> dict[str, Duty]:
    """Who is on call on each scope that has a calendar: who has the shift, is not switched off and holds the role."""
    known = calendars(scopes, now)
    holders = holders_of(known)
    found = {}
    for scope, calendar in known.items():
        here = [holders[scope][person] for person in on_call(calendar, now) if person in holders.get(scope, {})]
        people = tuple(sorted(here, key=lambda person: person.username))
        found[scope] = Duty(scope, people, changes_at(calendar, now))
    return found


def holders_of(scopes: Iterable[str]) -> dict[str, dict[int, User]]:
    """Who holds a role by shift on each scope, by id; without those who are switched off."""
    rows = User.objects.filter(is_active=True, groups__stands_for__role__in=BY_SHIFT)
    rows = rows.filter(groups__stands_for__scope__in=list(scopes))
    found: dict[str, dict[int, User]] = {}
    named = {row.pk: row for row in rows}
    pairs = RoleGroup.objects.filter(role__in=BY_SHIFT, scope__in=list(scopes), group__user__in=named)
    for scope, person in pairs.values_list("scope", "group__user"):
        if person in named:
            found.setdefault(scope, {})[person] = named[person]
    return found


def resting(person: User, now: datetime) -> dict[str, int]:
    """Scope → group of the person's roles by shift that do not count now, because there is a calendar and it names
    somebody else, or nobody."""
    groups: Mapping[str, int] = dict(
        RoleGroup.objects.filter(role__in=BY_SHIFT, group__user=person).values_list("scope", "group")
    )
    if not groups:
        return {}
    known = calendars(list(groups), now)
    away = {scope for scope, calendar in known.items() if person.pk not in on_call(calendar, now)}
    return {scope: group for scope, group in groups.items() if scope in away}


def holds(person: User, scope: str) -> bool:
    """Whether the person holds the on-call role there, on shift or not."""
    return person.is_active and RoleGroup.objects.filter(role=ONCALL, scope=scope, group__user=person).exists()
