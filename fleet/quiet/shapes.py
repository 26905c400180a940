"""How a loss may look: from some moment on at another level, or growing. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

GRID = 12  # moments after the begin that are tried
LAST = 4  # bins at the end that begin nothing: fewer say nothing
HOUR = 3600.0


@dataclass(frozen=True)
class Shape:
    """`since`: epoch seconds. A `grows` of 1 is one hour of growing, a step of 1 is the whole change.

    `fills`: hours in which growth comes to an end: no loss, and what a loss is held against.
    """

    since: int
    grows: bool
    fills: float = 0.0

    def column(self, times: Sequence[int]) -> list[float]:
        if self.fills:
            return [1 - exp(-max(0, at - self.since) / HOUR / self.fills) for at in times]
        if self.grows:
            return [max(0, at - self.since) / HOUR for at in times]
        return [float(at >= self.since) for at in times]


def shapes(times: Sequence[int], begin: int) -> Iterator[Shape]:
    """Every shape that is tried on a series: steps and growth since `begin`, and since moments after it."""
    after = [at for at in times if at >= begin]
    if len(after) <= LAST:
        return
    candidates = after[: len(after) - LAST]
    every = max(1, -(-len(candidates) // GRID))
    for at in candidates[::every]:
        yield Shape(at, grows=True)
        yield Shape(at, grows=False)
