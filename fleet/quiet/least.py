"""Least squares that bear outliers, and noise that remembers its last value. Pure, standard library.

A shape is held against what is left of a series when everything else that explains it is taken out of both (Frisch and
Waugh 1933). Noise with memory is whitened first (Cochrane and Orcutt 1949): else every wandering series has moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from operator import mul
from statistics import median

Column = list[float]
FAR = 2.0  # deviations from where on a value counts less (Huber)
MEMORY_MOST = 0.95
TO_SIGMA = 1.4826  # times the median deviation is the deviation, where the noise is normal
ROUNDS = 2


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def without(column: Sequence[float], basis: Sequence[Column]) -> Column:
    """What the basis (orthonormal) does not explain of a column."""
    left = list(column)
    for part in basis:
        share = dot(left, part)
        left = [value - share * one for value, one in zip(left, part, strict=True)]
    return left


def basis_of(columns: Sequence[Sequence[float]]) -> list[Column]:
    """An orthonormal basis of what the columns span; one that adds nothing is left out (Gram and Schmidt)."""
    found: list[Column] = []
    for column in columns:
        left = without(column, found)
        size, was = dot(left, left), dot(column, column)
        if size > 1e-9 * was > 0:
            found.append([value / sqrt(size) for value in left])
    return found


def spread(values: Sequence[float]) -> float:
    """The deviation of values around 0: by the median; where more than half of them are one value, by squares."""
    if not values:
        return 0.0
    by_median = TO_SIGMA * median(abs(value) for value in values)
    return max(by_median, 0.5 * sqrt(dot(values, values) / len(values)))


def weights(left: Sequence[float]) -> Column:
    """Square roots of Huber's weights: what is far off counts less."""
    far = FAR * spread(left)
    return [1.0 if abs(value) <= far else sqrt(far / abs(value)) for value in left]


def memory(left: Sequence[float], *, beside: int) -> float:
    """How much of a value the next one keeps, 0 to MEMORY_MOST. `beside`: columns that were fitted.

    Estimates are too low in short series, and the more so the more is fitted (Marriott and Pope 1954).
    """
    whole = dot(left, left)
    if whole <= 0 or len(left) < 4:
        return 0.0
    found = dot(left[1:], left[:-1]) / whole
    seen = max(0.0, found)
    found += (1 + 3 * seen + 0.5 * beside * (1 + seen)) / len(left)
    return min(MEMORY_MOST, max(0.0, found))


def whitened(column: Sequence[float], kept: float, weigh: Sequence[float]) -> Column:
    """Each value less what it keeps of the one before; the first one at the same scale."""
    first = column[0] * sqrt(1 - kept * kept)
    rest = [now - kept * was for was, now in zip(column, column[1:], strict=False)]
    return [value * weight for value, weight in zip([first, *rest], weigh, strict=True)]


def flat(series: Sequence[float], columns: Sequence[Sequence[float]]) -> Column:
    """What is left of a series when the columns are taken out, without letting outliers have their way."""
    weigh = [1.0] * len(series)
    left = list(series)
    for _ in range(ROUNDS):
        basis = basis_of([[value * weight for value, weight in zip(one, weigh, strict=True)] for one in columns])
        part = without([value * weight for value, weight in zip(series, weigh, strict=True)], basis)
        left = [value / weight for value, weight in zip(part, weigh, strict=True)]
        weigh = weights(left)
    return left
