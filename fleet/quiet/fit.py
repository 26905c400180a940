"""One measure of one gateway, explained by its level, its users and what is usual; what a shape adds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from fleet.quiet.bins import Line, widened
from fleet.quiet.least import Column, basis_of, dot, flat, memory, weights, whitened, without
from fleet.quiet.measures import EVENTS, Measure
from fleet.quiet.shapes import HOUR, Shape
from fleet.quiet.usual import Usual, read

LEAST = 12  # bins since the release began before anything is said
WIDEST = 12  # bins that are taken together
FINEST = 0.005**2  # squared: a value that never varies is not told apart more finely


@dataclass(frozen=True)
class Case:
    """`before`: the gateway under its last release; `after`: the slot under the new one; `long`: hours of its past."""

    begin: int
    before: Line
    after: Line
    long: Line = ()
    controls: Sequence[Line] = ()  # gateways of the pool that kept their release, over the same time


@dataclass(frozen=True)
class Held:
    """`score`: in deviations, positive where it got worse. `change`: of one unit of the shape."""

    score: float
    change: float


@dataclass(frozen=True)
class Series:
    """What is explained, and by what."""

    at: list[int]
    values: list[float]
    measure: Measure
    columns: list[Column]  # level and users
    step: Column  # from the begin on; empty where there is nothing before
    begin: int

    @property
    def whole(self) -> list[Column]:
        return [*self.columns, self.step] if self.step else self.columns


@dataclass(frozen=True)
class Fitted:
    """A series without its memory. `bases`: of level and users, and with the step that every release may make."""

    series: Series
    values: Column
    bases: tuple[list[Column], list[Column]]
    kept: float
    weigh: Column

    def column(self, shape: Shape) -> Column:
        return whitened(shape.column(self.series.at), self.kept, self.weigh)

    def hold(self, shape: Shape, worse: int, *, beside: Sequence[Shape] = ()) -> Held:
        """What one shape explains, beside others."""
        # A step at the begin is asked for against the time before; growth, and what comes later, beside such a step.
        basis = self.bases[shape.grows or shape.since > self.series.begin]
        if beside:
            basis = basis_of([*basis, *map(self.column, beside)])
        column = without(self.column(shape), basis)
        rest = without(self.values, basis)
        size = dot(column, column)
        free = len(rest) - len(basis) - 2
        if size <= 1e-9 or free < 1:
            return Held(0.0, 0.0)
        change = dot(column, rest) / size
        noise = max((dot(rest, rest) - change * change * size) / free, FINEST)
        return Held(worse * change * sqrt(size / noise), change)


def coarse(measure: Measure, case: Case) -> Case | None:
    """The same in bins so wide that there are EVENTS in each; None where even twelve times as wide ones have fewer."""
    line = [*case.before, *case.after]
    counts = [value for each in line if measure.events and (value := each.of(measure.events)) is not None]
    if not measure.events or not counts:
        return case
    width = min(after.at - was.at for was, after in zip(line, line[1:], strict=False))
    times = -(-EVENTS // max(1e-9, sum(counts) / len(counts)))
    if times <= 1:
        return case
    if times > WIDEST:
        return None
    width = int(width * times)
    controls = [widened(each, width) for each in case.controls]
    begin = -(-case.begin // width) * width
    before = [each for each in case.before if each.at < case.begin // width * width]
    after = [each for each in case.after if each.at >= begin]
    return Case(begin, widened(before, width), widened(after, width), case.long, controls)


def series_of(measure: Measure, case: Case, usual: Usual | None) -> Series | None:
    """None where the new release tells too little."""
    found = read(measure, [*case.before, *case.after], until=case.begin)
    known = [
        (at, value - movement, users)
        for at, value, users in zip(found.at, found.values, found.users, strict=True)
        if (movement := usual(at) if usual else 0.0) is not None
    ]
    was = sum(at < case.begin for at, _, _ in known)
    if was < LEAST:
        known, was = known[was:], 0
    if len(known) - was < LEAST:
        return None
    at = [one for one, _, _ in known]
    users = [one for _, _, one in known]
    step = [float(one >= case.begin) for one in at] if was else []
    return Series(at, [one for _, one, _ in known], measure, [[1.0] * len(at), users], step, case.begin)


def fit(series: Series, known: Shape | None = None) -> Fitted:
    """`known`: the change that is believed in; without it any slow one is, so that it is not taken for memory."""
    hours = [max(0, at - series.begin) / HOUR for at in series.at]
    more = [known.column(series.at)] if known else [hours, [value * value for value in hours]]
    left = flat(series.values, [*series.whole, *more])
    kept = memory(left, beside=len(series.whole) + len(more))
    even = [1.0] * len(left)
    # A few events among none are no outliers: they are what is counted.
    weigh = even if series.measure.events else weights(whitened(left, kept, even))
    narrow, wide = (
        basis_of([whitened(column, kept, weigh) for column in columns]) for columns in (series.columns, series.whole)
    )
    return Fitted(series, whitened(series.values, kept, weigh), (narrow, wide), kept, weigh)
