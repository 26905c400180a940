"""Complaints of sessions: how many, under which release. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Min, QuerySet, Sum

from fleet.metrics.sides import parts
from fleet.models import Gateway, Reading, Ticket

MINUTE, HOUR = 60, 3600
Which = Collection[int] | QuerySet[Gateway, Any]
"""Gateways by their ids, or the rows themselves: thousands of ids are better looked up where they are."""
MINUTES_MOST = 6 * HOUR  # longer times are counted in whole hours


@dataclass(frozen=True)
class Rate:
    """`sessions`: those that began, and those that were there at the begin."""

    complaints: int = 0
    sessions: float = 0.0

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.complaints + other.complaints, self.sessions + other.sessions)

    @property
    def in_thousand(self) -> float | None:
        """None where no session was counted."""
        return 1000 * self.complaints / self.sessions if self.sessions else None

    @property
    def say(self) -> str:
        if self.in_thousand is None:
            return "no session was counted"
        return f"{self.in_thousand:.1f} in 1,000 sessions"


def by_release(gateways: Which, *, since: float, until: float, now: float = 0.0) -> Mapping[str, Rate]:
    """Release → its rate on these gateways. Times are epoch seconds; complaints by when they were reported.

    `now`: where `until` lies in the past; what was measured then may be kept in coarser spans by now.
    """
    found: dict[str, Rate] = defaultdict(Rate)
    for (_, release), one in by_gateway(gateways, since=since, until=until, now=now).items():
        found[release] += one
    return found


def by_gateway(gateways: Which, *, since: float, until: float, now: float = 0.0) -> Mapping[tuple[int, str], Rate]:
    """(gateway, release) → its rate, as above."""
    found: dict[tuple[int, str], Rate] = defaultdict(Rate)
    for place, count in sessions(gateways, since=since, until=until, now=now).items():
        found[place] += Rate(0, count)
    between = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    told = Ticket.objects.filter(gateway__in=gateways, reported_at__range=between).exclude(release="")
    for gateway, release in told.values_list("gateway_id", "release"):
        if gateway is not None:
            found[gateway, release] += Rate(1)
    return found


def sessions(gateways: Which, *, since: float, until: float, now: float = 0.0) -> Mapping[tuple[int, str], float]:
    """(gateway, release) → sessions that began, and that were there at its first reading."""
    found: dict[tuple[int, str], float] = defaultdict(float)
    first: dict[tuple[int, int, str], tuple[int, int]] = {}
    for rows in _readings(gateways, since=since, until=until, now=now):
        told = rows.values_list("gateway_id", "slot", "release", "span").annotate(
            begun=Sum("arrivals"), first=Min("at")
        )
        for gateway, slot, release, span, begun, at in told:
            found[gateway, release] += begun or 0
            first.setdefault((gateway, slot, release), (span, at))
    times = {place: Reading.objects.filter(span=place[0], at=place[1]) for place in set(first.values())}
    for place, rows in times.items():
        for gateway, slot, release, there in rows.values_list("gateway_id", "slot", "release", "sessions"):
            if first.get((gateway, slot, release)) == place:
                found[gateway, release] += there or 0.0
    return found


@dataclass(frozen=True)
class Grown:
    """So many sessions more under a release, known at `at` (epoch seconds)."""

    at: int
    release: str
    sessions: float


def grown(gateways: Which, *, since: float, until: float, now: float) -> list[Grown]:
    """How `sessions` came about, in order of time: for few gateways and hours, all rows are read."""
    found: list[Grown] = []
    seen: set[tuple[int, int, str]] = set()
    for rows in _readings(gateways, since=since, until=until, now=now):
        told = rows.order_by("at").values_list("at", "span", "gateway_id", "slot", "release", "arrivals", "sessions")
        for at, span, gateway, slot, release, begun, there in told:
            place = (gateway, slot, release)
            found.append(Grown(at + span, release, (begun or 0) + (0.0 if place in seen else there or 0.0)))
            seen.add(place)
    return found


def _readings(gateways: Which, *, since: float, until: float, now: float) -> Iterator[QuerySet[Reading]]:
    """The rows of this time, each part of it in one span: hours for long times, minutes where they would be missed."""
    step = HOUR if until - since > MINUTES_MOST else MINUTE
    for span, begin, end in parts(step, since=int(since), until=until, now=now or until):
        aligned = begin // span.seconds * span.seconds
        yield Reading.objects.filter(gateway__in=gateways, span=span.seconds, at__gte=aligned, at__lt=end).order_by()
