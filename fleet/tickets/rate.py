"""Complaints of sessions: how many, under which release. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Min, Sum

from fleet.metrics.sides import parts
from fleet.models import Reading, Ticket

STEP = 3600


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


def by_release(gateways: Iterable[int], *, since: float, until: float) -> Mapping[str, Rate]:
    """Release → its rate on these gateways. Times are epoch seconds; complaints by when they were reported."""
    ids = list(gateways)
    found: dict[str, Rate] = defaultdict(Rate)
    for release, count in sessions(ids, since=since, until=until).items():
        found[release] += Rate(0, count)
    between = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    told = Ticket.objects.filter(gateway__in=ids, reported_at__range=between).exclude(release="")
    for release in told.values_list("release", flat=True):
        found[release] += Rate(1)
    return found


def sessions(ids: list[int], *, since: float, until: float) -> Mapping[str, float]:
    """Release → sessions that began, and that were there at its first reading."""
    found: dict[str, float] = defaultdict(float)
    first: dict[tuple[int, int, str], tuple[int, int]] = {}
    for span, begin, end in parts(STEP, since=int(since), until=until, now=until):
        rows = Reading.objects.filter(gateway__in=ids, span=span.seconds, at__gte=begin, at__lt=end).order_by()
        told = rows.values_list("gateway_id", "slot", "release").annotate(begun=Sum("arrivals"), first=Min("at"))
        for gateway, slot, release, begun, at in told:
            found[release] += begun or 0
            first.setdefault((gateway, slot, release), (span.seconds, at))
    times = {place: Reading.objects.filter(span=place[0], at=place[1]) for place in set(first.values())}
    for place, rows in times.items():
        for gateway, slot, release, there in rows.values_list("gateway_id", "slot", "release", "sessions"):
            if first.get((gateway, slot, release)) == place:
                found[release] += there or 0.0
    return found
