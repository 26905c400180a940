"""The classic judge, for comparison: two-sided Mann-Whitney at 98 %, tolerance 0.25, a look at every sample.

Our own implementation of what Kayenta's documentation and tests describe (NetflixACAJudge): a metric is High when the
lower end of the confidence interval of the shift lies above a quarter of the estimated shift (Hodges and Lehmann). It
has no least number of samples; with fewer than five a side the normal approximation never reaches 98 %.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from math import sqrt

SURE = 2.326  # standard deviations of a two-sided 98 %
TOLERANCE = 0.25


class Classic:
    """Two series of one metric, of which a rise is bad."""

    def __init__(self) -> None:
        self.canary: list[float] = []
        self.control: list[float] = []
        self.wins = 0.0  # pairs in which the canary's value is the higher; a tie is half a pair

    def look(self, canary: float, control: float) -> bool:
        """Take one more sample of each, and say whether the metric is High now."""
        self.wins += (bisect_left(self.control, canary) + bisect_right(self.control, canary)) / 2
        insort(self.canary, canary)
        n = len(self.canary)
        self.wins += n - (bisect_left(self.canary, control) + bisect_right(self.canary, control)) / 2
        insort(self.control, control)
        if not above(self.wins, n):
            return False
        shift = TOLERANCE * abs(self.middle())
        return above(n * n - self.at_most(shift), n)

    def at_most(self, shift: float) -> int:
        """How many pairs differ by no more than `shift`."""
        found = place = 0
        for value in self.canary:
            while place < len(self.control) and value - self.control[place] > shift:
                place += 1
            found += len(self.control) - place
        return found

    def middle(self) -> float:
        """The median of all differences, to a thousandth of their range."""
        low, high = self.canary[0] - self.control[-1], self.canary[-1] - self.control[0]
        half = len(self.canary) * len(self.control) / 2
        for _ in range(10):
            guess = (low + high) / 2
            low, high = (low, guess) if self.at_most(guess) >= half else (guess, high)
        return (low + high) / 2


def above(wins: float, n: int) -> bool:
    """Whether so many pairs are too many, by the normal approximation with continuity correction."""
    return wins - n * n / 2 - 0.5 > SURE * sqrt(n * n * (2 * n + 1) / 12)
