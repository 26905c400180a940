"""Readings for a page: so many points of one gateway, from the fineness that has them. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from fleet.metrics import counters, rollup
from fleet.models import Reading, Span

POINTS = 600  # of one line; more can't be seen


@dataclass(frozen=True)
class Point:
    """`at`: the begin, epoch seconds; `seconds`: what the counts are about; `values`: columns of a reading."""

    at: int
    seconds: float
    values: Mapping[str, Any]

    def rate(self, column: str) -> float | None:
        """A count a minute; None where it is not known."""
        count = self.values[column]
        return None if count is None or self.seconds <= 0 else 60 * float(count) / self.seconds


Series = Mapping[tuple[int, str], Sequence[Point]]
"""Slot and release → points in order of time."""


def series(gateway: int, *, since: float, until: float, points: int = POINTS) -> Series:
    """Readings of one gateway in at most `points` steps, from the coarsest span that is fine enough and the finer ones
    where that has not been made yet. Three queries and at most some thousand rows, however much is stored.
    """
    step = max(1, int(until - since) // points)
    spans = rollup.spans()
    fitting = [span for span in spans if span.seconds <= step and _keeps(span, since, until)]
    chosen = fitting[-1] if fitting else next((one for one in spans if _keeps(one, since, until)), spans[-1])
    wide = -(-step // chosen.seconds) * chosen.seconds
    found: dict[tuple[int, str], list[Point]] = defaultdict(list)
    for span, begin, end in _parts(spans[: spans.index(chosen) + 1], gateway, since=since, until=until):
        for row in rollup.sums(span.seconds, wide=wide, begin=begin, end=end, gateway=gateway):
            slot, release = int(str(row["slot"])), str(row["release"])
            found[slot, release].append(Point(int(str(row["at"])), float(str(row["seconds"])), row))
    return {key: _in_order(line) for key, line in found.items()}


def _in_order(line: Sequence[Point]) -> list[Point]:
    """By time; where two finenesses meet inside a step, the counts of both and what the finer one felt."""
    made: list[Point] = []
    for point in sorted(line, key=lambda one: one.at):
        if made and made[-1].at == point.at:
            last = made.pop()
            both = {name: added(last.values[name], point.values[name]) for name in counters.COUNTED}
            made.append(Point(point.at, last.seconds + point.seconds, {**point.values, **both}))
        else:
            made.append(point)
    return made


def added(one: float | None, other: float | None) -> float | None:
    """The sum of what is known."""
    return other if one is None else one if other is None else one + other


def _keeps(span: Span, since: float, until: float) -> bool:
    return until - since <= 3600 * span.keep_hours


def _parts(spans: Sequence[Span], gateway: int, *, since: float, until: float) -> list[tuple[Span, int, int]]:
    """Which span tells of which time: the coarsest up to where it was made, then the next finer one."""
    parts, begin = [], int(since)
    for span in reversed(spans):
        finer = span is not spans[0]
        end = span.rolled_until if finer else int(until) + 1
        if end > begin:
            parts.append((span, begin, min(end, int(until) + 1)))
            begin = end
    return parts


def newest(gateway: int) -> int:
    """When the last reading of a gateway began, epoch seconds; 0 for none."""
    of = Reading.objects.filter(gateway=gateway, span=min(Span.DEFAULTS))
    return int(of.aggregate(last=Max("at"))["last"] or 0)
