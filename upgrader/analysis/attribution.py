"""Two changes at the same time: which of them made more fail? Pure.

Difference in differences as a Poisson regression (McCullagh and Nelder 1989, ch. 6): the logarithm of a cell's rate is
what its gateways have anyway, plus what the time does to all, plus one effect for each change. Weak normal priors keep
it solvable where nothing failed, and leave an effect as wide as its prior where the cells can't tell it from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import copysign, exp, log, sqrt
from typing import Literal

SURE = 2.58  # standard deviations: by chance once in 200
LEAST_TIMES = 1.5  # as often; a smaller effect is blamed on nobody
# Standard deviations, in logarithms: gateways of a pool differ by a factor of e² and more, hours by one of e.
OF_GROUP, OF_PERIOD, OF_EFFECT, OF_NOTHING = 2.0, 1.0, 2.0, 1e-4
STEPS, STEP_MOST, ENOUGH = 60, 2.0, 1e-9
Which = Literal["first", "second", "both", "unknown"]


@dataclass(frozen=True)
class Cell:
    """Some slots in some time. `group`: slots that were alike before; `first`, `second`: which change is in effect."""

    group: str
    period: int
    first: bool
    second: bool
    tried: float
    failed: float


@dataclass(frozen=True)
class Effect:
    times: float  # as often as without it
    sure: float  # standard deviations by which the cells are worse explained without it


@dataclass(frozen=True)
class Blame:
    which: Which
    first: Effect
    second: Effect


def blame(cells: Sequence[Cell], *, burst: float = 1.0) -> Blame:
    """Which of two changes the failures came with. `burst`: how many failures come at once (rates.bursts)."""
    used = [cell for cell in cells if cell.tried > 0]
    (one, other), whole = fitted(used, burst, frozenset({0, 1}))
    effects = []
    for effect, mean in ((0, one), (1, other)):
        _, without = fitted(used, burst, frozenset({1 - effect}))
        effects.append(Effect(exp(mean), copysign(sqrt(2 * max(0.0, whole - without)), mean)))
    guilty = [effect.sure >= SURE and effect.times >= LEAST_TIMES for effect in effects]
    which: Which = "unknown"
    if any(guilty):
        which = "both" if all(guilty) else "first" if guilty[0] else "second"
    return Blame(which, effects[0], effects[1])


def fitted(cells: Sequence[Cell], burst: float, effects: frozenset[int]) -> tuple[list[float], float]:
    """The two effects as logarithms where the posterior is highest, and its logarithm there, up to what is constant.

    `effects`: which of them (0, 1) there may be.
    """
    groups, periods = sorted({cell.group for cell in cells}), sorted({cell.period for cell in cells})[1:]
    usual = (sum(cell.failed for cell in cells) + 0.5) / (sum(cell.tried for cell in cells) + 1.0)
    sizes = [OF_EFFECT if effect in effects else OF_NOTHING for effect in (0, 1)]
    sizes += [OF_GROUP] * len(groups) + [OF_PERIOD] * len(periods)
    prior = [0.0, 0.0] + [log(usual)] * len(groups) + [0.0] * len(periods)
    rows = [(_row(cell, groups, periods), cell.tried / burst, cell.failed / burst) for cell in cells]
    point = list(prior)
    for _ in range(STEPS):
        move = _newton(point, prior, sizes, rows)
        longest = max(map(abs, move))
        point = [at + by * min(1.0, STEP_MOST / max(longest, STEP_MOST)) for at, by in zip(point, move, strict=True)]
        if longest < ENOUGH:
            break
    height = -sum(((at - from_) / size) ** 2 / 2 for at, from_, size in zip(point, prior, sizes, strict=True))
    for row, tried, failed in rows:
        rate = sum(point[i] for i in row)
        height += failed * rate - tried * exp(rate)
    return point[:2], height


def _newton(
    point: Sequence[float],
    prior: Sequence[float],
    sizes: Sequence[float],
    rows: Sequence[tuple[list[int], float, float]],
) -> list[float]:
    """One step of Newton's towards the top; the logarithm of the posterior is concave."""
    size = range(len(point))
    slope = [(prior[i] - point[i]) / sizes[i] ** 2 for i in size]
    curve = [[(i == j) / sizes[i] ** 2 for j in size] for i in size]
    for row, tried, failed in rows:
        expected = tried * exp(min(50.0, sum(point[i] for i in row)))
        for i in row:
            slope[i] += failed - expected
            for j in row:
                curve[i][j] += expected
    return _solved(curve, slope)


def _row(cell: Cell, groups: list[str], periods: list[int]) -> list[int]:
    """Which of the unknowns make up this cell's rate."""
    row = [2 + groups.index(cell.group)]
    if cell.period in periods:
        row.append(2 + len(groups) + periods.index(cell.period))
    return [*([0] if cell.first else []), *([1] if cell.second else []), *row]


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Gauss's elimination with pivots; the priors keep the matrix positive definite."""
    rows = [[*map(float, row), float(value)] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        best = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        for below in range(at + 1, size):
            share = rows[below][at] / rows[at][at]
            rows[below] = [value - share * above for value, above in zip(rows[below], rows[at], strict=True)]
    found = [0.0] * size
    for at in reversed(range(size)):
        known = sum(rows[at][i] * found[i] for i in range(at + 1, size))
        found[at] = (rows[at][size] - known) / rows[at][at]
    return found
