"""From the bins of one gateway before and after a release to what got worse, how, and since when. Pure.

A score is what a shape explains of a series, in deviations. It is no e-value: docs/quiet.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import expm1, sqrt
from statistics import median

from fleet.quiet.fit import LEAST, Case, Fitted, coarse, fit, series_of
from fleet.quiet.least import TO_SIGMA, basis_of, without
from fleet.quiet.measures import MEASURES, Measure
from fleet.quiet.shapes import HOUR, Shape, shapes
from fleet.quiet.usual import PEERS, Usual, by_hour, by_peers

SURE = 5.0  # deviations, of one measure
TOGETHER = 6.0  # of several at once
SEVERAL = 3
SHARE = 2.5  # deviations from where on a measure is one of them
PAST = 1.2  # times as much where no other gateway says what is usual
UNKNOWN = 1.4  # and where nothing does
WANDERS = 1.2  # times what its own past scores without a release
GOES_ON = 0.5  # of its slope a growth must still have in its second half
EARLY = 2 * HOUR  # seconds after the begin in which what grows may be what fills up
FILLING = 4 * HOUR  # before that nobody can tell
FILLS = (1.0, 2.0, 4.0)  # hours
ALIKE = 0.5  # of its change, at which another gateway shows the same


@dataclass(frozen=True)
class Score:
    """The best shape of one measure. `score` in deviations, of which `sure` are enough.

    `change`: relative; the whole of a step, or an hour's growth. `total`: relative, until now.
    """

    name: str
    score: float
    sure: float
    shape: Shape
    change: float
    total: float
    alike: int = 0  # other gateways that kept their release and show the same

    @property
    def measure(self) -> Measure:
        return MEASURES[self.name]

    @property
    def enough(self) -> float:
        return self.measure.least if self.shape.grows else self.measure.at_once

    @property
    def matters(self) -> bool:
        return abs(self.total) >= self.enough


@dataclass(frozen=True)
class Judged:
    """`scores` of each measure that could be read; `found`: what got worse, the clearest first."""

    scores: Sequence[Score] = ()
    found: Sequence[Score] = ()
    together: bool = False  # each of `found` alone could be chance
    against: str = ""  # "pool", "past", or "" where nothing is older
    controls: int = 0


@dataclass(frozen=True)
class Tried:
    """A measure with all its shapes, before anything is believed. `case`: in bins wide enough for its events."""

    measure: Measure
    case: Case
    usual: Usual | None
    fitted: Fitted
    scores: Mapping[Shape, float]

    @property
    def best(self) -> Shape:
        return max(self.scores, key=lambda shape: self.scores[shape])


def judge(case: Case) -> Judged:
    """What got worse since the release began. Nothing is said before LEAST bins of it."""
    every = list(shapes([each.at for each in case.after], case.begin))
    if len(case.after) < LEAST or not every:
        return Judged()
    tried = [one for measure in MEASURES.values() if (one := _try(measure, case, every))]
    scores = [_believed(one, one.best) for one in tried]
    found = [one for one in scores if one.score >= one.sure and one.matters]
    peers = len(case.controls) >= PEERS
    against = "pool" if peers else "past" if len(case.before) >= LEAST else ""
    controls = len(case.controls) if peers else 0
    if found:
        found.sort(key=lambda one: -one.score / one.sure)
        return Judged(scores, found, against=against, controls=controls)
    several = _together(tried, every)
    return Judged(scores, several, together=bool(several), against=against, controls=controls)


def _try(measure: Measure, case: Case, every: Sequence[Shape]) -> Tried | None:
    wide = coarse(measure, case)
    if wide is None:
        return None
    usual = by_peers(measure, wide.controls) or by_hour(measure, case.long)
    series = series_of(measure, wide, usual)
    if series is None:
        return None
    fitted = fit(series)
    return Tried(measure, wide, usual, fitted, {shape: fitted.hold(shape, measure.worse).score for shape in every})


def _believed(tried: Tried, shape: Shape) -> Score:
    """The score with the change itself taken out of the noise, and how much of it is enough here."""
    measure, series = tried.measure, tried.fitted.series
    fitted = fit(series, shape)
    held = fitted.hold(shape, measure.worse)
    total = held.change * ((series.at[-1] - shape.since) / HOUR if shape.grows else 1.0)
    made = Score(measure.name, held.score, SURE, shape, _relative(held.change), _relative(total))
    if len(tried.case.controls) < PEERS:
        made = replace(made, sure=SURE * (PAST if tried.usual else UNKNOWN))
    if made.score < made.sure or not made.matters:
        return made
    if shape.grows and not _goes_on(measure, fitted, shape):
        return replace(made, score=0.0)
    return _trained(made, tried)


def _relative(change: float) -> float:
    return expm1(max(-50.0, min(50.0, change)))


def _goes_on(measure: Measure, fitted: Fitted, shape: Shape) -> bool:
    """Whether it still grows: what fills up after a start comes to an end."""
    half = (shape.since + fitted.series.at[-1]) // 2
    later = Shape(half, grows=True)
    first = fitted.hold(shape, measure.worse, beside=[later]).change
    more = fitted.hold(later, measure.worse, beside=[shape]).change
    whole = fitted.hold(shape, measure.worse)
    begin = fitted.series.begin
    if shape.since - begin <= EARLY:
        ends = (Shape(begin, grows=True, fills=hours) for hours in FILLS)
        young = fitted.series.at[-1] - begin < FILLING
        if young or max(fitted.hold(one, measure.worse).score for one in ends) > whole.score:
            return False
    return measure.worse * (first + more) >= GOES_ON * abs(whole.change)


def _trained(made: Score, tried: Tried) -> Score:
    """Held against what this measure does where no release changed: other gateways now, and this one before."""
    measure, case, sure, alike = tried.measure, tried.case, made.sure, 0
    others = [_elsewhere(measure, case, place, made.shape) for place in range(len(case.controls))]
    known = [one for one in others if one is not None]
    if len(known) >= PEERS:
        sure *= max(1.0, TO_SIGMA * median(abs(score) for score, _ in known))
        ours = _plain(measure, case, made.shape)
        alike = sum(measure.worse * theirs >= ALIKE * abs(ours) for _, theirs in known)
    if known and 2 * alike >= len(known):
        return replace(made, score=0.0, alike=alike)  # the pool has it, and not the release
    return replace(made, alike=alike, sure=max(sure, WANDERS * _before(tried, case)))


def _plain(measure: Measure, case: Case, shape: Shape) -> float:
    """The change that a shape makes, whatever others do meanwhile."""
    series = series_of(measure, case, None)
    return fit(series).hold(shape, measure.worse).change if series else 0.0


def _elsewhere(measure: Measure, case: Case, place: int, shape: Shape) -> tuple[float, float] | None:
    """On another gateway: the score of the same shape, held against the rest of them; and its change by itself."""
    line = case.controls[place]
    rest = [*case.controls[:place], *case.controls[place + 1 :]]
    theirs = Case(case.begin, [b for b in line if b.at < case.begin], [b for b in line if b.at >= case.begin])
    series = series_of(measure, theirs, by_peers(measure, rest))
    if series is None:
        return None
    return fit(series).hold(shape, measure.worse).score, _plain(measure, theirs, shape)


def _before(tried: Tried, case: Case) -> float:
    """The best score of the time before, as if a release had begun in its middle; 0 where that is too short."""
    if len(case.before) < 3 * LEAST:
        return 0.0
    half = len(case.before) // 2
    begin = case.before[half].at
    older = Case(begin, case.before[:half], case.before[half:])
    series = series_of(tried.measure, older, tried.usual)
    if series is None:
        return 0.0
    fitted, worse = fit(series), tried.measure.worse
    return max(fitted.hold(shape, worse).score for shape in shapes(series.at, begin))


def _together(tried: Sequence[Tried], every: Sequence[Shape]) -> list[Score]:
    """Measures that alone say too little and at one moment enough; what always moves together counts once."""
    best: tuple[float, Shape | None] = (TOGETHER, None)
    for shape in every:
        part = [one for one in tried if one.usual and one.scores[shape] >= SHARE]
        plain = sqrt(sum(one.scores[shape] ** 2 for one in part))
        if len(part) >= SEVERAL and plain > best[0] and (score := plain * _apart(part, shape)) > best[0]:
            best = (score, shape)
    if best[1] is None:
        return []
    found = [_believed(one, best[1]) for one in tried if one.usual and one.scores[best[1]] >= SHARE]
    real = [one for one in found if one.score >= SHARE and abs(one.total) >= one.enough / 2]
    enough = len(real) >= SEVERAL and sqrt(sum(one.score**2 for one in real)) >= TOGETHER
    return sorted(real, key=lambda one: -one.score) if enough else []


def _apart(part: Sequence[Tried], shape: Shape) -> float:
    """1 where the measures' noise has nothing in common, 1/√n where n of them are the same. By O'Brien's test."""
    scores = [one.scores[shape] for one in part]
    whole = sum(score**2 for score in scores)
    both = sum(
        one * other * correlation(a.fitted, b.fitted, shape)
        for one, a in zip(scores, part, strict=True)
        for other, b in zip(scores, part, strict=True)
    )
    return sqrt(whole / max(both, whole / len(part), 1e-9)) if both > 0 else 1.0


def correlation(one: Fitted, other: Fitted, shape: Shape) -> float:
    """Of what nothing explains of two series; 0 to 1."""
    ours, theirs = (
        dict(zip(each.series.at, without(each.values, basis_of([*each.bases[1], each.column(shape)])), strict=True))
        for each in (one, other)
    )
    shared = [(ours[at], theirs[at]) for at in ours.keys() & theirs.keys()]
    whole = sqrt(sum(a * a for a, _ in shared) * sum(b * b for _, b in shared))
    return max(0.0, sum(a * b for a, b in shared) / whole) if whole > 0 else 0.0


def lasting(now: Judged, before: frozenset[str]) -> list[Score]:
    """What was found at the look before as well: one look alone calls nobody. `before`: the names it found."""
    stayed = [one for one in now.found if one.name in before]
    return stayed if len(stayed) >= (2 if now.together else 1) else []
