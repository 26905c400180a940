"""From measurements of the new and the old release, side by side, to green, red or unclear. Pure.

No verdict hangs on one number: each compares an interval with a tolerance. Green: the whole interval lies within the
tolerance. Red: the whole interval lies beyond it. Unclear: it holds the tolerance; more rounds would narrow it.
So two equal releases are called red with a probability of at most (1 - confidence) / 2, and a release that is worse
than the tolerance is called green no more often.

Formulas: M. Hollander, D. Wolfe, E. Chicken, Nonparametric Statistical Methods, 3rd edition, Wiley 2014: signed rank
interval (Tukey) 3.3, slope interval (Theil) 9.3; R. Newcombe, Interval estimation for the difference between
independent proportions, Statistics in Medicine 17 (1998), method 10.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import NormalDist, median


class Verdict(StrEnum):
    GREEN = "green"
    RED = "red"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Interval:
    """An estimate and what it may be in truth. `low` and `high` are infinite where the samples are too few."""

    low: float
    middle: float
    high: float

    def against(self, most: float) -> Verdict:
        """Judge by a tolerance: the true value should be `most` or less."""
        if self.high <= most:
            return Verdict.GREEN
        return Verdict.RED if self.low > most else Verdict.UNCLEAR


def ratio(new: Sequence[float], old: Sequence[float], *, confidence: float) -> Interval:
    """How many times `old` is `new`, pair by pair: the signed rank interval of the logarithms of their ratios.

    The pairs were measured next to each other, so what disturbs the machine disturbs both and falls out.
    """
    logs = [math.log(mine / theirs) for mine, theirs in zip(new, old, strict=True)]
    walsh = sorted((one + other) / 2 for index, one in enumerate(logs) for other in logs[index:])
    cut = _rank_cut(_signed_rank_counts(len(logs)), confidence)
    return _exp(_ends(walsh, cut))


def slope(x: Sequence[float], y: Sequence[float], *, confidence: float) -> Interval:
    """How much y grows with each x: the median of all slopes between two points, and Theil's interval around it."""
    slopes = sorted((y[j] - y[i]) / (x[j] - x[i]) for i, j in combinations(range(len(x)), 2) if x[i] != x[j])
    cut = _rank_cut(_inversion_counts(len(x)), confidence)
    return _ends(slopes, cut)


def difference(new: tuple[int, int], old: tuple[int, int], *, confidence: float) -> Interval:
    """How much larger the new share is than the old, each given as (how many, of how many): Newcombe's interval."""
    if not new[1] or not old[1]:
        return Interval(-math.inf, 0.0, math.inf)
    mine, theirs = new[0] / new[1], old[0] / old[1]
    (low, high), (other_low, other_high) = _wilson(new, confidence), _wilson(old, confidence)
    down = math.hypot(mine - low, other_high - theirs)
    up = math.hypot(high - mine, theirs - other_low)
    return Interval(mine - theirs - down, mine - theirs, mine - theirs + up)


def _wilson(share: tuple[int, int], confidence: float) -> tuple[float, float]:
    count, of = share
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle, room = count / of + z * z / (2 * of), z * math.sqrt(count * (of - count) / of**3 + z * z / (4 * of * of))
    scale = 1 + z * z / of
    return max(0.0, (middle - room) / scale), min(1.0, (middle + room) / scale)


def _ends(ordered: Sequence[float], cut: int) -> Interval:
    """The interval from the `cut`-th smallest to the `cut`-th largest of what was ordered."""
    if not ordered:
        return Interval(-math.inf, 0.0, math.inf)
    if cut < 1 or 2 * cut > len(ordered) + 1:
        return Interval(-math.inf, median(ordered), math.inf)
    return Interval(ordered[cut - 1], median(ordered), ordered[-cut])


def _exp(logs: Interval) -> Interval:
    return Interval(
        *(math.exp(value) if value < math.inf else math.inf for value in (logs.low, logs.middle, logs.high))
    )


def _rank_cut(counts: Sequence[int], confidence: float) -> int:
    """The largest c with P(T < c) of at most (1 - confidence) / 2, where T takes value k in counts[k] equal cases."""
    most, below = sum(counts) * (1 - confidence) / 2, 0
    for value, count in enumerate(counts):
        below += count
        if below > most:
            return value
    return 0


def _signed_rank_counts(n: int) -> list[int]:
    """In how many of the 2^n sign patterns the ranks with a plus sum to 0, 1, … n(n+1)/2."""
    counts = [1]
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for value, count in enumerate(counts):
            longer[value + rank] += count
        counts = longer
    return counts


def _inversion_counts(n: int) -> list[int]:
    """How many of the n! orders have 0, 1, … n(n-1)/2 discordant pairs."""
    counts = [1]
    for size in range(2, n + 1):
        longer = [0] * (len(counts) + size - 1)
        for value, count in enumerate(counts):
            for more in range(size):
                longer[value + more] += count
        counts = longer
    return counts
