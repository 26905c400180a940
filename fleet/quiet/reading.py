"""What a look reads: which release serves where since when, and the bins of it, of the time before and of peers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Max, Min

from fleet.metrics import rollup
from fleet.models import Reading
from fleet.quiet import pace
from fleet.quiet.bins import Bin, busiest
from fleet.quiet.fit import LEAST, Case
from fleet.quiet.usual import PEERS

ACTIVE = 3 * pace.HOUR  # since a slot's last hour was rolled up
CONTROLS = 8  # more say nothing more
Lines = Mapping[tuple[int, str], list[Bin]]


@dataclass(frozen=True)
class Serving:
    """One release in one slot: from when to when it had users, epoch seconds."""

    gateway: int
    slot: int
    release: str
    first: int
    last: int


def serving(gateway_ids: Iterable[int], now: float) -> dict[int, list[Serving]]:
    """Gateway → its releases of the last weeks, by when they came. By hours."""
    rows = Reading.objects.filter(gateway__in=list(gateway_ids), span=pace.HOUR, at__gte=int(now - pace.LONG))
    told = rows.filter(sessions__gt=0).values_list("gateway_id", "slot", "release").order_by()
    found: dict[int, list[Serving]] = defaultdict(list)
    for row in told.annotate(first=Min("at"), last=Max("at")):
        found[row[0]].append(Serving(*row))
    return {gateway: sorted(each, key=lambda one: one.first) for gateway, each in found.items()}


def newest(known: Iterable[Serving], now: float) -> Serving | None:
    """The release that came last and still has users; None where that has no name."""
    active = [one for one in known if one.last >= now - ACTIVE]
    return active[-1] if active and active[-1].release else None


def begin_of(one: Serving) -> int:
    """The minute in which it had its first user, where minutes are still kept; else the hour."""
    rows = Reading.objects.filter(gateway=one.gateway, span=60, at__gte=one.first, at__lt=one.first + pace.HOUR)
    first = rows.filter(slot=one.slot, release=one.release, sessions__gt=0).aggregate(first=Min("at"))["first"]
    return int(first or one.first)


class Reader:
    """Of one round: what several gateways are held against is read once."""

    def __init__(self, now: float) -> None:
        self.now = now
        self._bins: dict[tuple[int, pace.Reach], Lines] = {}

    def case(self, it: Serving, begin: int, others: Mapping[int, list[Serving]]) -> Case:
        """`others`: gateways of the pool, with their releases."""
        reach = pace.reach(begin, self.now)
        lines = self._lines(it.gateway, reach)
        start = -(-begin // reach.width) * reach.width
        mine = lines.get((it.slot, it.release), [])
        rest = [line for key, line in lines.items() if key != (it.slot, it.release)]
        controls = [busiest(list(self._lines(pk, reach).values())) for pk in kept(others, it, begin, reach)]
        return Case(
            begin=start,
            before=busiest([[each for each in line if each.at < start - reach.width] for line in rest]),
            after=[each for each in mine if each.at >= start],
            long=[] if len(controls) >= PEERS else self._long(it, begin),
            controls=controls,
        )

    def _lines(self, gateway: int, reach: pace.Reach) -> Lines:
        if (gateway, reach) not in self._bins:
            end = int(self.now) // reach.width * reach.width
            self._bins[gateway, reach] = bins(gateway, reach.span, reach.width, begin=reach.since, end=end)
        return self._bins[gateway, reach]

    def _long(self, it: Serving, begin: int) -> list[Bin]:
        hours = bins(it.gateway, pace.HOUR, pace.HOUR, begin=begin - pace.LONG, end=begin - pace.HOUR)
        return busiest([line for key, line in hours.items() if key != (it.slot, it.release)])


def kept(others: Mapping[int, list[Serving]], it: Serving, begin: int, reach: pace.Reach) -> list[int]:
    """Gateways of the pool that had their release well before `begin` and have it still."""
    since = begin - LEAST * reach.width
    return [
        pk
        for pk, known in sorted(others.items())
        if pk != it.gateway and known and known[-1].first <= since and known[-1].last >= it.last - pace.HOUR
    ][:CONTROLS]


def bins(gateway: int, span: int, width: int, *, begin: int, end: int) -> Lines:
    """Slot and release → bins of `width` seconds, from readings of `span`."""
    found: dict[tuple[int, str], list[Bin]] = defaultdict(list)
    for row in rollup.sums(span, wide=width, begin=begin, end=end, gateway=gateway):
        values = {name: None if value is None else float(str(value)) for name, value in row.items() if name not in KEYS}
        seconds = values.pop("seconds") or 0.0
        found[int(str(row["slot"])), str(row["release"])].append(Bin(int(str(row["at"])), seconds, values))
    return {key: sorted(line, key=lambda each: each.at) for key, line in found.items()}


KEYS = frozenset({"gateway_id", "span", "at", "slot", "release"})
