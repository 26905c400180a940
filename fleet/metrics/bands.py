"""One side's readings as lines with bands: shares with what chance leaves open, means with their range. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

ROLLING = 300  # seconds that a share and a band look back on
SMOOTH = 60  # seconds that a mean looks back on
SURE = 1.96  # standard deviations on either side: 95 %
MIB = 1024 * 1024
DIGITS = 2  # of a point, as it is sent


@dataclass(frozen=True)
class Bucket:
    """What all readings of one side were in one step of time. `at`: its begin, epoch seconds; None: not known."""

    at: int
    values: Mapping[str, float | None]

    def get(self, name: str) -> float | None:
        return self.values.get(name)


@dataclass(frozen=True)
class Drawn:
    """One point of a line and the band around it; None where nothing is known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


Line = Callable[[Sequence[Bucket]], list[Drawn]]


@dataclass(frozen=True)
class Panel:
    """One chart of the stack. `form`: how a value is written; `limit`: the metric of the strategy that bounds it."""

    title: str
    unit: str
    line: Line
    form: str = "{:.1f}"
    limit: str = ""

    def said(self, value: float | None) -> str:
        # Rounded as the chart's points are: rounding twice is not rounding once.
        return "–" if value is None else f"{self.form.format(round(value, DIGITS))} {self.unit}".strip()


def begins(times: Sequence[int], seconds: int) -> Iterator[int]:
    """For each time the place of the first one that is less than `seconds` before it."""
    first = 0
    for at in times:
        while times[first] <= at - seconds:
            first += 1
        yield first


def wilson(hits: float, tries: float) -> tuple[float, float]:
    """Where a share lies with 95 % certainty, 0…1 (E. B. Wilson 1927); unlike the usual one it is right at 0 hits."""
    share, z = hits / tries, SURE * SURE
    middle = (share + z / (2 * tries)) / (1 + z / tries)
    half = SURE * sqrt(share * (1 - share) / tries + z / (4 * tries * tries)) / (1 + z / tries)
    return max(0.0, middle - half), min(1.0, middle + half)


def share(hits: str, others: str) -> Line:
    """Percent of `hits` among both, over the last ROLLING seconds."""

    def line(buckets: Sequence[Bucket]) -> list[Drawn]:
        found = list(accumulate((bucket.get(hits) or 0.0 for bucket in buckets), initial=0.0))
        other = list(accumulate((bucket.get(others) or 0.0 for bucket in buckets), initial=0.0))
        drawn = []
        for place, first in enumerate(begins([bucket.at for bucket in buckets], ROLLING)):
            hit = found[place + 1] - found[first]
            tries = hit + other[place + 1] - other[first]
            if buckets[place].get(hits) is None or not tries:
                drawn.append(Drawn())
                continue
            low, high = wilson(hit, tries)
            drawn.append(Drawn(100 * hit / tries, 100 * low, 100 * high))
        return drawn

    return line


def mean(column: str, divisor: float = 1.0) -> Line:
    """The mean of the last SMOOTH seconds, between the lowest and the highest reading of the last ROLLING."""

    def line(buckets: Sequence[Bucket]) -> list[Drawn]:
        drawn = [Drawn()] * len(buckets)
        known = [place for place, bucket in enumerate(buckets) if bucket.get(column) is not None]
        means = values(buckets, known, column)
        lows, highs = (values(buckets, known, f"{column}_{end}", column) for end in ("low", "high"))
        times = [buckets[place].at for place in known]
        both = zip(begins(times, SMOOTH), begins(times, ROLLING), strict=True)
        for turn, (near, first) in enumerate(both):
            value = sum(means[near : turn + 1]) / (turn + 1 - near)
            low, high = min(lows[first : turn + 1]), max(highs[first : turn + 1])
            drawn[known[turn]] = Drawn(value / divisor, low / divisor, high / divisor)
        return drawn

    return line


def values(buckets: Sequence[Bucket], places: Sequence[int], *columns: str) -> list[float]:
    """What the first of the columns that is known says at each of the places."""
    found = ([buckets[place].get(column) for column in columns] for place in places)
    return [next(value for value in row if value is not None) for row in found]


def total(column: str) -> Line:
    """The number as it was, without a band."""
    return lambda buckets: [Drawn(bucket.get(column)) for bucket in buckets]


PANELS: Mapping[str, Panel] = {
    "failures": Panel("Sign-ins that fail", "%", share("failures", "logins"), limit="logins"),
    "errors": Panel("Sessions that end in an error", "%", share("errors", "logins"), limit="session_errors"),
    "handshake": Panel("Handshake", "ms", mean("handshake_ms"), limit="handshake_time"),
    "rtt": Panel("Round trip to users", "ms", mean("rtt_ms")),
    "memory": Panel("Memory of a slot", "MiB", mean("rss_bytes", MIB), "{:.0f}"),
    "users": Panel("Users", "", total("users"), "{:.0f}"),
}
