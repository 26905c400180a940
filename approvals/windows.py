"""When a window is open: rules of wall-clock times in a time zone. Pure.

A window is open exactly while a clock on the wall of its zone reads so: from `from` on, until `until`, which is not in
it. Its length in real time is what the clock makes of it. Where the clock jumps ahead over the start, it opens at the
jump; where it jumps over all of it, it does not open that day. Where the clock is put back, the doubled hour is open
both times, and what lies between two readings that are in the window and is not in it itself stays shut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
HORIZON_DAYS = 23  # a weekly window that the clock jumps over opens two weeks after the last time, at the latest three
NOT_ZONES = ("localtime", "posix/", "right/")  # this machine's own zone, and clocks that count leap seconds


class WindowError(ValueError):
    """A window that can't be read; it is closed, and the sentence says what is wrong."""


@dataclass(frozen=True)
class Rule:
    """On these days (0 is Monday) from minute `start` of the day until minute `until`; one that is not later than
    `start` is of the day after."""

    days: frozenset[int]
    start: int
    until: int

    def has(self, wall: datetime) -> bool:
        minute, day = wall.hour * 60 + wall.minute, wall.weekday()
        if self.start < self.until:
            return day in self.days and self.start <= minute < self.until
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.until)


@dataclass(frozen=True)
class Window:
    zone: ZoneInfo
    rules: tuple[Rule, ...]

    def has(self, at: datetime) -> bool:
        wall = at.astimezone(self.zone)
        return any(rule.has(wall) for rule in self.rules)


def parse(zone: str, rules: Any) -> Window:
    """Return the window. Raise WindowError with one sentence about what is wrong."""
    if not isinstance(rules, list) or not rules:
        raise WindowError("A window needs at least one rule with days, from and until.")
    return Window(parse_zone(zone), tuple(parse_rule(rule) for rule in rules))


def parse_zone(name: str) -> ZoneInfo:
    """Return the time zone, by its name in the IANA database."""
    if not name.startswith(NOT_ZONES):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # unknown; no name of a zone at all; a folder of zones
            pass
    raise WindowError(f"There is no time zone {name!r}. Name one as Europe/Berlin or UTC.")


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    """Every zone's name that a window may have."""
    return tuple(sorted(name for name in available_timezones() if not name.startswith(NOT_ZONES)))


def parse_rule(rule: Any) -> Rule:
    if not isinstance(rule, Mapping) or set(rule) != {"days", "from", "until"}:
        raise WindowError(f"A rule has days, from and until, and is {rule!r}.")
    days = rule["days"]
    if not isinstance(days, list) or not days or any(day not in DAYS for day in days):
        raise WindowError(f"The days of a rule are some of {', '.join(DAYS)}, and are {days!r}.")
    start, until = minutes(rule["from"]), minutes(rule["until"])
    if start in (until, DAY_MINUTES):
        raise WindowError(f"A rule begins and ends at different times; the whole day is 00:00 to 24:00, not {rule!r}.")
    return Rule(frozenset(DAYS.index(day) for day in days), start, until)


def minutes(text: Any) -> int:
    """Minutes since midnight of "22:00"; 24:00 is the end of the day."""
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)|24:00", text) if isinstance(text, str) else None
    if not found:
        raise WindowError(f"A time of day is 00:00 to 24:00, and is {text!r}.")
    return int(found[1]) * 60 + int(found[2]) if found[1] else DAY_MINUTES


def is_open(windows: Sequence[Window], at: datetime) -> bool:
    return any(window.has(at) for window in windows)


def changes_at(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The first moment after `now` at which the windows open or close, in UTC; None: not in HORIZON_DAYS."""
    as_now = is_open(windows, now)
    return next((at for at in edges(windows, now) if is_open(windows, at) is not as_now), None)


def spans(windows: Sequence[Window], start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When the windows are open between two moments at most HORIZON_DAYS apart, cut off at both, in UTC."""
    opened = start if is_open(windows, start) else None
    for at in edges(windows, start):
        if at >= end:
            break
        here = is_open(windows, at)
        if here and opened is None:
            opened = at
        elif not here and opened is not None:
            yield opened, at
            opened = None
    if opened is not None:
        yield opened, end


def edges(windows: Sequence[Window], now: datetime) -> list[datetime]:
    """Every moment after `now` at which one of the windows may open or close: between two of them none does."""
    first = now.astimezone(UTC).date() - timedelta(days=1)
    days = [first + timedelta(days=number) for number in range(HORIZON_DAYS + 2)]
    return sorted({at for window in windows for day in days for at in _edges_of(window, day) if at > now})


@lru_cache(maxsize=20_000)
def _edges_of(window: Window, day: date) -> tuple[datetime, ...]:
    """The readings of the clock on that day at which a rule begins or ends, both times where one comes twice, and the
    moments at which the clock itself is put forward or back."""
    marks = {0} | {mark % DAY_MINUTES for rule in window.rules for mark in (rule.start, rule.until)}
    found = [
        datetime.combine(day, time(mark // 60, mark % 60), window.zone).replace(fold=fold).astimezone(UTC)
        for mark in marks
        for fold in (0, 1)
    ]
    return (*found, *_jump(window.zone, day))


def _jump(zone: ZoneInfo, day: date) -> list[datetime]:
    """When the zone's offset changes in these 24 hours of UTC, to the second; found by halving."""
    low = datetime.combine(day, time(), UTC)
    high = low + timedelta(days=1)
    before, after = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
    if before == after:
        return []
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return [high]
