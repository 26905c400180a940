"""What the page of windows, freezes and budgets shows: of the fleet, and of each pool that one may see. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from approvals import rights, windows
from approvals.models import Request, User
from fleet.models import Pool
from fleet.phrases import count
from fleet.selectors import pools_with, visible_pools
from fleet.words import Word
from upgrader import bound_changes, bounds, budgets
from upgrader.bound_changes import ASK, scope_of
from upgrader.bounds import Bounds, Frozen
from upgrader.budget import Tally, allows, said_of, sessions_say
from upgrader.models import Budget, Freeze, Window

DAYS = 14
OPEN = Word("Open", "done", "circle-check")
SHUT = {
    "freeze": Word("Frozen", "held", "ban"),
    "window": Word("Closed", "planned", "circle-dashed"),
    "unreadable": Word("Stopped", "failed", "triangle-alert"),
}
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Bar:
    """A part of a day, in percent of its length."""

    start: float
    width: float


@dataclass(frozen=True)
class Day:
    # As words: templates would turn its midnight into UTC, where it is another day.
    weekday: str  # "Mo"
    number: int
    opens: list[Bar]
    frozen: list[Bar]
    say: str  # "Mon 23 Nov: open 22:00 to 24:00"


@dataclass(frozen=True)
class WindowRow:
    row: Window
    say: str


@dataclass(frozen=True)
class Meter:
    """How much of a budget is used."""

    say: str  # "1 of 3 gateways that may be out"
    used: int
    most: int
    who: str


@dataclass(frozen=True)
class Place:
    """The fleet, or a pool."""

    pool: Pool | None
    name: str
    word: Word
    say: str
    zone: str
    days: list[Day]
    openings: list[str]
    windows: list[WindowRow]
    freezes: list[Freeze]
    budget: Budget | None
    budget_say: str
    meters: list[Meter]
    asked: list[Request]
    may_ask: bool

    bounded: bool  # there is a window or a freeze to draw, its own or the fleet's

    @property
    def without(self) -> str:
        """What it has none of, and what holds instead."""
        missing = [name for name, rows in (("window", self.windows), ("budget", self.budget)) if not rows]
        if not missing:
            return ""
        if self.pool:
            return f"No {' and no '.join(missing)} of its own: the fleet's {'hold' if missing[1:] else 'holds'}."
        return "No window: pools without one of their own may begin at all times." if "window" in missing else ""

    @property
    def plain(self) -> bool:
        """A pool to which nothing but the fleet's bounds applies."""
        return bool(self.pool) and not (self.windows or self.freezes or self.budget or self.asked)

    @property
    def key(self) -> int:
        return self.pool.pk if self.pool else 0


def places(user: User, *, now: datetime) -> list[Place]:
    """The fleet first, then every pool that the person may see, in a fixed number of queries for its bounds."""
    pools = list(visible_pools(user))
    seen, used = bounds.read(now), budgets.used()
    rows = Window.objects.filter(ended_at=None).select_related("made_by")
    standing = Freeze.objects.filter(pk__in=[it.id for it in seen.freezes]).select_related("made_by", "pool")
    everywhere = rights.may(user, ASK, rights.EVERYTHING)
    found = Found(
        seen=seen,
        used=used,
        budgets={row.pool_id: row for row in Budget.objects.all()},
        windows=list(rows),
        freezes=list(standing.order_by("starts_at")),
        visible={pool.pk for pool in pools},
        asked=_asked(),
        may_ask={pool.pk for pool in (pools if everywhere else pools_with(user, ASK.partition(".")[2]))},
        everywhere=everywhere,
    )
    return [place(pool, found) for pool in (None, *pools)]


@dataclass(frozen=True)
class Found:
    seen: Bounds
    used: Mapping[int | None, Tally]
    budgets: Mapping[int | None, Budget]
    windows: Sequence[Window]
    freezes: Sequence[Freeze]
    visible: set[int]  # pools whose gateways may be named
    asked: Sequence[Request]
    may_ask: set[int]
    everywhere: bool


def _asked() -> list[Request]:
    kinds = (
        bound_changes.WINDOW_SET,
        bound_changes.WINDOW_END,
        bound_changes.FREEZE_LIFT,
        bound_changes.BUDGET_SET,
    )
    return list(Request.objects.filter(kind__in=kinds, state=Request.State.OPEN).select_related("requested_by"))


def place(pool: Pool | None, found: Found) -> Place:
    key, seen = pool.pk if pool else None, found.seen
    blocked, calendar = seen.why_not(key), seen.calendar(key)
    zone = calendar.windows[0].zone if calendar.windows else ZoneInfo("UTC")
    tally = found.used.get(key)
    budget = found.budgets.get(key)
    return Place(
        pool=pool,
        name=pool.name if pool else "The whole fleet",
        word=SHUT[blocked.kind] if blocked else OPEN,
        say=blocked.say if blocked else _open_say(seen, key),
        zone=str(zone),
        days=_days(seen, key, zone),
        openings=_openings(seen, key, zone),
        windows=[WindowRow(row, bound_changes.readable_row(row)) for row in found.windows if row.pool_id == key],
        freezes=[row for row in found.freezes if row.pool_id == key],
        budget=budget,
        budget_say=_budget_say(pool, budget),
        meters=_meters(tally, found.visible) if tally else [],
        asked=[request for request in found.asked if request.scope == scope_of(pool)],
        bounded=blocked is not None or bool(calendar.windows or [it for it in seen.freezes if it.pool in (None, key)]),
        may_ask=pool.pk in found.may_ask if pool else found.everywhere,
    )


def _open_say(seen: Bounds, key: int | None) -> str:
    """Until when it is open, as far as anybody knows."""
    calendar = seen.calendar(key)
    ends = [it.starts_at for it in seen.freezes if it.pool in (None, key) and it.starts_at > seen.now]
    closes = windows.changes_at(calendar.windows, seen.now) if calendar.windows else None
    first = min((at for at in (*ends, closes) if at is not None), default=None)
    if first is None:
        return "Rollouts may begin at all times." if not calendar.windows else "It is always open."
    zone = str(calendar.windows[0].zone) if calendar.windows else "UTC"
    verb = "closes" if first == closes else "is frozen"
    return f"Rollouts may begin now; it {verb} {bounds.opens_say(first, seen.now, zone)}."


def _midnights(now: datetime, zone: ZoneInfo) -> list[datetime]:
    first = now.astimezone(zone).date()
    return [datetime.combine(first + timedelta(days=number), time(), zone) for number in range(DAYS + 1)]


def _spans(seen: Bounds, key: int | None, start: datetime, end: datetime) -> list[Span]:
    calendar = seen.calendar(key)
    if calendar.unreadable:
        return []
    return list(windows.spans(calendar.windows, start, end)) if calendar.windows else [(start, end)]


def _days(seen: Bounds, key: int | None, zone: ZoneInfo) -> list[Day]:
    marks = _midnights(seen.now, zone)
    opens = _spans(seen, key, marks[0], marks[-1])
    freezes = [it for it in seen.freezes if it.pool in (None, key)]
    return [_day(one, two, opens, freezes) for one, two in zip(marks, marks[1:], strict=False)]


def _day(start: datetime, end: datetime, opens: Sequence[Span], freezes: Sequence[Frozen]) -> Day:
    zone = start.tzinfo
    mine = [cut for span in opens if (cut := _cut(span, start, end))]
    held = [cut for it in freezes if (cut := _cut((it.starts_at, it.ends_at or end), start, end))]
    said = [
        f"{one.astimezone(zone):%H:%M} to {'24:00' if two == end else format(two.astimezone(zone), '%H:%M')}"
        for one, two in mine
    ]
    word = f"open {', '.join(said)}" if said else "closed"
    return Day(
        weekday=f"{start:%a}"[:2],
        number=start.day,
        opens=[_bar(cut, start, end) for cut in mine],
        frozen=[_bar(cut, start, end) for cut in held],
        say=f"{start:%a %d %b}: {word}{', frozen' if held else ''}",
    )


def _cut(span: Span, start: datetime, end: datetime) -> Span | None:
    one, two = max(span[0], start), min(span[1], end)
    return (one, two) if one < two else None


def _bar(cut: Span, start: datetime, end: datetime) -> Bar:
    # Real time: two moments of one zone would be subtracted by the clock on its wall.
    whole = end.timestamp() - start.timestamp()
    return Bar(
        round(100 * (cut[0].timestamp() - start.timestamp()) / whole, 1),
        round(100 * (cut[1].timestamp() - cut[0].timestamp()) / whole, 1),
    )


def _openings(seen: Bounds, key: int | None, zone: ZoneInfo) -> list[str]:
    """The coming times at which it is open, in its zone and in UTC."""
    if not seen.calendar(key).windows:
        return []
    spans = _spans(seen, key, seen.now, seen.now + timedelta(days=DAYS))
    return [f"{_said(span, zone)} {zone} ({_said(span, ZoneInfo('UTC'))} UTC)" for span in spans]


def _said(span: Span, zone: ZoneInfo) -> str:
    one, two = (at.astimezone(zone) for at in span)
    return (
        f"{one:%a %d %b %H:%M} to {two:%H:%M}"
        if one.date() == two.date()
        else f"{one:%a %d %b %H:%M} to {two:%a %H:%M}"
    )


def _budget_say(pool: Pool | None, budget: Budget | None) -> str:
    if budget:
        return bound_changes.budget_say(budget)
    return f"{pool.name} has no budget of its own; the fleet's holds." if pool else budgets.NONE


def _meters(tally: Tally, visible: set[int]) -> list[Meter]:
    limit, known = tally.limit, [use for use in tally.uses if use.pool in visible]
    elsewhere = sum(use.out for use in tally.uses) - sum(use.out for use in known)
    more = f", {count(elsewhere, 'gateway')} of pools that you may not see" if elsewhere else ""
    if not limit.total:
        return [Meter(f"No gateway {limit.whose} yet, so none is out", 0, 0, "")]
    meters = [Meter(f"{allows(limit)}; {tally.out} now", tally.out, limit.gateways or 0, said_of(known) + more)]
    if limit.sessions is not None:
        meters.append(Meter(f"{sessions_say(limit)}; {tally.sessions:,} now", tally.sessions, limit.sessions, ""))
    return meters


def as_json(place: Place) -> dict[str, Any]:
    """One place for programs: the same facts as on the page."""
    return {
        "pool": place.pool.name if place.pool else None,
        "state": place.word.say.lower(),
        "say": place.say,
        "zone": place.zone,
        "openings": place.openings,
        "windows": [{"id": it.row.pk, "title": it.row.title, "say": it.say} for it in place.windows],
        "freezes": [
            {"id": it.pk, "reason": it.reason, "by": it.made_by.username, "from": it.starts_at, "until": it.ends_at}
            for it in place.freezes
        ],
        "budget": place.budget_say,
        "used": [
            {"say": meter.say, "used": meter.used, "most": meter.most, "who": meter.who} for meter in place.meters
        ],
    }
