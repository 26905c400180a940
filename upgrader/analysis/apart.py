"""Sizes of one gateway beside those of others, each against its own level of before: difference in differences. Pure.

Another gateway has other users and another line, so its sizes as such say nothing. But what both have at the same time,
a busy hour or a slow directory, moves both away from where they were, and a change of one gateway moves that one alone.
How far one is from its level beyond the others, since its change, is held against the same of the time before: two
series of one gateway, for upgrader/analysis/times.py, which asks how sure the level before is as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import exp, log, sqrt
from statistics import fmean, median, stdev

Line = Mapping[int, float]
"""Begin of a step, epoch seconds → a size above 0, mean over the step."""
Lines = Mapping[str, Line]
"""By whose they are."""
LEAST = 10  # values before, else a line has no level
OTHERS_LEAST = 2  # at one moment: of one alone nobody knows whether it is that one that moves
WEEKS_LEAST = 2
SURE = 4.0  # standard deviations of what an hour brings from week to week


def levels(before: Lines) -> dict[str, float]:
    """Each line's mean logarithm; a line that is short has none."""
    return {name: fmean(map(log, line.values())) for name, line in before.items() if len(line) >= LEAST}


def away(lines: Lines, level: Mapping[str, float]) -> dict[int, list[float]]:
    """At each moment how far each line is from its level, as logarithms."""
    found: dict[int, list[float]] = defaultdict(list)
    for name, line in lines.items():
        if name in level:
            for at, value in line.items():
                found[at].append(log(value) - level[name])
    return found


def beside(mine: Lines, theirs: Lines, level: Mapping[str, float]) -> list[float]:
    """How many times further mine is from its level than the others are from theirs, in order of time; 1 is alike.

    Of the others the median counts: one of them may be in trouble of its own.
    """
    others, own = away(theirs, level), away(mine, level)
    return [exp(fmean(own[at]) - median(others[at])) for at in sorted(own) if len(others.get(at, ())) >= OTHERS_LEAST]


def alone(mine: Lines, level: Mapping[str, float], *, more: float = 0.0) -> list[float]:
    """How many times mine is its level of before, in order of time. `more`: logarithm of what the hour brings."""
    own = away(mine, level)
    return [exp(fmean(own[at]) - more) for at in sorted(own)]


def brings(weeks: Mapping[int, tuple[float, float]]) -> float | None:
    """What an hour brings over the one before it, as a logarithm, by other weeks: at most, as far as they tell.

    `weeks`: week → sizes of the hour before and of this one. This week may be as far from their mean as they are from
    each other, so SURE deviations are added. None: there are too few of them.
    """
    found = [log(now / before) for before, now in weeks.values() if before > 0 and now > 0]
    if len(found) < WEEKS_LEAST:
        return None
    return fmean(found) + SURE * stdev(found) * sqrt(1 + 1 / len(found))
