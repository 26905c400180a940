"""Times beside times: how long a login takes on the new slot and on the old one, told from their logarithms. Pure.

A Bayes factor between "the same on both" and "slower on the new one", for two series of which each remembers its last
value (AR(1)). How much they remember, their spread and their level are integrated out (Jeffreys' prior on the spread, a
flat one on the level, weights on MEMORY), so a series that wanders is not taken for one that has moved, and one that
does not wander is not punished for it. The sums below are all that the likelihood needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, exp, log, log1p, sqrt

from upgrader.analysis.evalues import NOTHING, log_sum

# How much of a value the next one keeps, and how likely that is before the first look.
MEMORY = ((0.0, 5.0), (0.2, 1.0), (0.4, 0.7), (0.6, 0.7), (0.8, 2.0), (0.9, 1.5), (0.97, 1.0))
# Variance of the shift that is looked for, in variances of one series, and how likely: times that hardly vary may jump
# by many of their deviations.
EFFECTS = ((1.0, 0.9), (100.0, 0.1))
LEAST = 10  # pairs before anything is said: spread and memory are not known earlier
FAR = log(8.0)  # a single time counts as at most 8 times slower or faster than usual
GATEWAYS = 24  # of a wave are read, those with the most pairs; more change nothing but the cost
FARTHEST = 30.0  # standard deviations; what is further off has no logarithm
FINEST = 1e-4  # squared: below 1 % times are not told apart


@dataclass(frozen=True)
class Sums:
    """Logarithms of one series, summed."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    lagged: float = 0.0  # Σ of each value times the one before it
    first: float = 0.0
    last: float = 0.0

    def added(self, value: float) -> Sums:
        return Sums(
            self.n + 1,
            self.total + value,
            self.squares + value * value,
            self.lagged + (value * self.last if self.n else 0.0),
            self.first if self.n else value,
            value,
        )

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0


@dataclass(frozen=True)
class Pair:
    """The same gateway, at the same moments."""

    canary: Sums = Sums()
    control: Sums = Sums()

    def added(self, canary: float, control: float) -> Pair:
        """`canary`, `control`: times above 0, in one unit. One that is far off counts as FAR."""
        usual, one, other = self.control.mean, log(canary), log(control)
        if self.control.n >= LEAST:
            one, other = (max(usual - FAR, min(usual + FAR, value)) for value in (one, other))
        return Pair(self.canary.added(one), self.control.added(other))

    def later(self, value: float) -> Pair:
        """With one more of the canary alone, where the control is the time before: it is told whole at the start."""
        usual, one = self.control.mean, log(value)
        return Pair(self.canary.added(max(usual - FAR, min(usual + FAR, one))), self.control)


@dataclass(frozen=True)
class Slower:
    evidence: float
    ratio: float  # how many times the old slot's time the new one takes, by the mean of logarithms
    pairs: int  # values of the canaries; as many of the controls where both are told at the same looks
    canary: float  # geometric means, in the unit that came in
    control: float


def slower(pairs: Sequence[Pair], *, tolerated: float = 0.0) -> Slower:
    """Evidence that the canaries are slower; one shift for all, a level for each gateway.

    It is not worked out while the ratio is tolerated: nothing would follow from it, and it is most of a look's cost.
    """
    told = (pair for pair in pairs if min(pair.canary.n, pair.control.n) >= 2)
    read = sorted(told, key=lambda pair: -pair.canary.n)[:GATEWAYS]
    n, besides = sum(pair.canary.n for pair in read), sum(pair.control.n for pair in read)
    if not n:
        return Slower(0.0, 1.0, 0, 0.0, 0.0)
    # Each gateway's shift by itself, weighted by its values: of uneven series the levels would not cancel out.
    shift = sum(pair.canary.n * (pair.canary.mean - pair.control.mean) for pair in read) / n
    canary = sum(pair.canary.total for pair in read) / n
    evidence = _factor(read) if min(n, besides) >= LEAST and exp(shift) > tolerated else 0.0
    return Slower(evidence, exp(shift), n, exp(canary), exp(canary - shift))


def _factor(pairs: Sequence[Pair]) -> float:
    """The logarithm of the Bayes factor, one-sided."""
    weight = sum(likely for _, likely in MEMORY)
    same, moved = [], []
    for memory, likely in MEMORY:
        under, over = _likelihoods(pairs, memory)
        same.append(log(likely / weight) + under)
        moved.append(log(likely / weight) + over)
    return log_sum(moved) - log_sum(same) if max(same) > NOTHING else 0.0


def _likelihoods(pairs: Sequence[Pair], memory: float) -> tuple[float, float]:
    """Logarithms of the likelihood of no shift and of one, at this memory, up to what both share."""
    free = float(sum(pair.canary.n + pair.control.n - 1 for pair in pairs))
    rest, sure, pull, base = FINEST * free, 0.0, 0.0, 0.0
    for pair in pairs:
        know, level, left = _centred(pair.canary, memory)
        know_too, level_too, left_too = _centred(pair.control, memory)
        both, apart = know * know_too / (know + know_too), level - level_too
        rest += left + left_too + both * apart * apart
        sure, pull = sure + both, pull + both * apart
        base -= 0.5 * ((pair.canary.n + pair.control.n - 2) * log1p(-memory * memory) + log(know + know_too))
    under = base - free / 2 * log(rest)
    over = log_sum(
        log(likely) + base + _shifted(effect, rest, free, sure=sure, pull=pull) for effect, likely in EFFECTS
    )
    return under, over


def _shifted(effect: float, rest: float, free: float, *, sure: float, pull: float) -> float:
    """The same with a shift of this size to the worse."""
    known = sure + 1 / effect
    left = rest - pull * pull / known
    steps = pull / sqrt(left / free * known)
    # Of the shifts that were looked for only those to the worse count, which are twice as likely then.
    return -free / 2 * log(left) - 0.5 * log1p(effect * sure) + log(erfc(-max(-FARTHEST, steps) / sqrt(2)))


def _centred(sums: Sums, memory: float) -> tuple[float, float, float]:
    """Of one series: how well its level is known, the level (generalised least squares), and what is left over."""
    n, ends = sums.n, sums.first + sums.last
    know = (n - (n - 2) * memory) / (1 + memory)
    level = (sums.total - memory * (sums.total - ends)) / (1 + memory) / know
    inner = sums.squares - sums.first**2 - sums.last**2
    whole = (sums.squares + memory * memory * inner - 2 * memory * sums.lagged) / (1 - memory * memory)
    return know, level, max(0.0, whole - know * level * level)
