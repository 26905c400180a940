"""What a page of many gateways shows of the collector: sides against each other. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fleet.metrics import stacked
from fleet.metrics.bands import PANELS, Bucket, Panel
from fleet.metrics.sides import Side, buckets, step_of
from fleet.metrics.stacked import Mark, Row, Stack, Told

LEAST = 300  # seconds that a time axis has at least
AGAIN = 2  # steps before the last one that are told again: what was written late belongs there


class Reader(Protocol):
    """What a side said in steps of so many seconds, in order of time; from some time before `since` on."""

    def __call__(self, side: Side, *, since: float, until: float, step: int, now: float) -> list[Bucket]: ...


@dataclass(frozen=True)
class Asked:
    """Which lines, over which time (epoch seconds), with what beside them."""

    sides: Sequence[Side]
    since: float
    until: float
    marks: Sequence[Mark] = ()
    tolerated: Mapping[str, float] = field(default_factory=dict)
    alarms: Mapping[str, float] = field(default_factory=dict)  # panel → above which people are called
    panels: Mapping[str, Panel] = field(default_factory=lambda: PANELS)
    read: Reader = buckets
    least: int = 0  # seconds that a point has at least

    @property
    def end(self) -> float:
        return max(self.until, self.since + LEAST)

    @property
    def step(self) -> int:
        """The width of a point in seconds."""
        step = step_of(self.end - self.since, max((len(side.gateways) for side in self.sides), default=0))
        return max(step, self.least)


def stack(asked: Asked, *, now: float, since: float | None = None) -> Stack:
    """Read the sides; `since`: only what is needed to draw from there on."""
    begin = asked.since if since is None else since
    told = [
        Told(side.name, side.tone, asked.read(side, since=begin, until=asked.until, step=asked.step, now=now))
        for side in asked.sides
    ]
    beside = (asked.marks, asked.tolerated, asked.alarms, asked.panels)
    return Stack(told, asked.since, asked.end, asked.step, *beside)


def figure(asked: Asked, *, now: float, after: int = 0, step: int = 0) -> dict[str, Any]:
    """The charts for charts.js. `after`, `step`: the last time that the page has (epoch ms) and the width of its
    points; it is given what came since, or all where its points would no longer fit.
    """
    begin = after // 1000 - AGAIN * asked.step
    if step != asked.step or begin <= asked.since:
        return stacked.whole(stack(asked, now=now))
    return stacked.whole(stack(asked, now=now, since=begin), begin=begin)


def rows(asked: Asked, *, now: float) -> list[Row]:
    """The charts as a table."""
    return stacked.table(stack(asked, now=now))
