"""Who is on call when: a week that repeats, and what is different for once. Pure.

A shift is a rule of wall-clock times in a zone (approvals/windows.py says what that means where the clock is put
forward or back). A cover goes before the week, and of two covers the one that was made later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals.windows import HORIZON_DAYS, Window, edges

LONGEST = timedelta(days=31)
"""Of one cover."""


@dataclass(frozen=True)
class Weekly:
    person: int  # the user's id
    window: Window


@dataclass(frozen=True)
class Once:
    person: int
    begins: datetime
    ends: datetime  # the moment itself is not in it
    made: datetime

    def has(self, at: datetime) -> bool:
        return self.begins <= at < self.ends


@dataclass(frozen=True)
class Calendar:
    weekly: tuple[Weekly, ...] = ()
    once: tuple[Once, ...] = ()


@dataclass(frozen=True)
class Span:
    """From one moment until another the same people are on call; nobody in a gap."""

    begins: datetime
    ends: datetime
    people: frozenset[int]


def on_call(calendar: Calendar, at: datetime) -> frozenset[int]:
    """Ids of those who are on call at that moment; empty in a gap."""
    covers = [one for one in calendar.once if one.has(at)]
    if covers:
        return frozenset({max(covers, key=lambda one: one.made).person})
    return frozenset(one.person for one in calendar.weekly if one.window.has(at))


def changes_at(calendar: Calendar, now: datetime) -> datetime | None:
    """The first moment after `now` at which somebody else is on call; None: not within HORIZON_DAYS."""
    as_now = on_call(calendar, now)
    return next((at for at in _edges(calendar, now) if on_call(calendar, at) != as_now), None)


def spans(calendar: Calendar, start: datetime, end: datetime) -> Iterator[Span]:
    """Who is on call between two moments at most HORIZON_DAYS apart, without holes: gaps are spans of nobody."""
    begins, people = start, on_call(calendar, start)
    for at in _edges(calendar, start):
        if at >= end:
            break
        after = on_call(calendar, at)
        if after != people:
            yield Span(begins, at, people)
            begins, people = at, after
    yield Span(begins, end, people)


def _edges(calendar: Calendar, now: datetime) -> list[datetime]:
    """Every moment after `now`, within the horizon, at which who is on call may change."""
    last = now + timedelta(days=HORIZON_DAYS)
    found = set(edges([one.window for one in calendar.weekly], now))
    found |= {at for one in calendar.once for at in (one.begins, one.ends) if now < at <= last}
    return sorted(found)
