"""Equal releases are hardly ever called red, worse ones are; the intervals cover what they claim to cover."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.matrix.verdict import Interval, Verdict, difference, ratio, slope

CONFIDENCE = 0.95
RUNS = 400
# 400 runs of a 95 % interval miss 20 times on average; more than 38 has a probability below 1 in 10,000.
MISSES_MOST = 38


def noisy(dice: random.Random, middle: float) -> float:
    """A time on a busy machine: skewed, and now and then far out."""
    return middle * dice.lognormvariate(0, 0.3) * (4 if dice.random() < 0.03 else 1)


def pairs(dice: random.Random, times: float, count: int) -> tuple[list[float], list[float]]:
    """Pairs of one moment each: the machine's mood multiplies both."""
    moods = [dice.lognormvariate(0, 0.5) for _ in range(count)]
    return [noisy(dice, times * mood) for mood in moods], [noisy(dice, mood) for mood in moods]


@pytest.mark.parametrize("times", [0.8, 1.0, 1.3])
def test_ratio_covers_the_truth(times: float) -> None:
    dice = random.Random(7)
    found = [ratio(*pairs(dice, times, 20), confidence=CONFIDENCE) for _ in range(RUNS)]
    assert sum(not one.low <= times <= one.high for one in found) <= MISSES_MOST


def test_equal_releases_are_not_red() -> None:
    dice = random.Random(11)
    verdicts = [ratio(*pairs(dice, 1.0, 12), confidence=CONFIDENCE).against(1.25) for _ in range(RUNS)]
    assert verdicts.count(Verdict.RED) <= RUNS * (1 - CONFIDENCE) / 2


def test_at_the_tolerance_red_and_green_are_rare() -> None:
    dice = random.Random(13)
    verdicts = [ratio(*pairs(dice, 1.25, 20), confidence=CONFIDENCE).against(1.25) for _ in range(RUNS)]
    assert verdicts.count(Verdict.RED) + verdicts.count(Verdict.GREEN) <= MISSES_MOST


def test_slow_release_is_red_and_an_equal_one_green() -> None:
    dice = random.Random(17)
    slow = [ratio(*pairs(dice, 2.0, 40), confidence=0.99).against(1.25) for _ in range(RUNS)]
    same = [ratio(*pairs(dice, 1.0, 64), confidence=0.99).against(1.25) for _ in range(RUNS)]
    assert slow.count(Verdict.RED) >= 0.95 * RUNS
    assert same.count(Verdict.GREEN) >= 0.75 * RUNS
    assert same.count(Verdict.RED) == 0


@pytest.mark.parametrize("growth", [0.0, 3.0])
def test_slope_covers_the_truth(growth: float) -> None:
    dice = random.Random(19)
    xs = [float(number) for number in range(10)]
    found = [slope(xs, [growth * x + noisy(dice, 1.0) for x in xs], confidence=CONFIDENCE) for _ in range(RUNS)]
    assert sum(not one.low <= growth <= one.high for one in found) <= MISSES_MOST


def test_one_wild_sample_makes_no_growth() -> None:
    assert slope(range(10), [5.0] * 9 + [900.0], confidence=CONFIDENCE).against(0.5) is Verdict.GREEN


@pytest.mark.parametrize(("new", "old"), [(0.02, 0.02), (0.3, 0.05)])
def test_difference_covers_the_truth(new: float, old: float) -> None:
    dice = random.Random(23)

    def share(chance: float) -> tuple[int, int]:
        return sum(dice.random() < chance for _ in range(60)), 60

    found = [difference(share(new), share(old), confidence=CONFIDENCE) for _ in range(RUNS)]
    assert sum(not one.low <= new - old <= one.high for one in found) <= MISSES_MOST


def test_known_intervals() -> None:
    # Hollander, Wolfe, Chicken, table A.4: with n = 8 the 96.1 % interval goes from the 4th smallest Walsh average.
    ordered = ratio([math.exp(value) for value in range(1, 9)], [1.0] * 8, confidence=0.96)
    assert math.log(ordered.low) == pytest.approx(2.0)
    # Newcombe (1998), table II, example (a): 56/70 - 48/80, method 10.
    published = difference((56, 70), (48, 80), confidence=0.95)
    assert (round(published.low, 4), round(published.high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize(
    "measure",
    [
        lambda: ratio([], [], confidence=CONFIDENCE),
        lambda: ratio([2.0] * 4, [1.0] * 4, confidence=CONFIDENCE),
        lambda: slope([1, 2, 3], [1, 2, 3], confidence=CONFIDENCE),
        lambda: slope([], [], confidence=CONFIDENCE),
        lambda: difference((0, 0), (0, 9), confidence=CONFIDENCE),
    ],
)
def test_too_few_samples_are_unclear(measure: Callable[[], Interval]) -> None:
    assert measure().against(1.25) is Verdict.UNCLEAR


POSITIVE = st.lists(st.floats(0.01, 1e6), min_size=6, max_size=14)


@given(POSITIVE, st.floats(0.1, 10))
def test_interval_turns_with_its_sides(old: list[float], times: float) -> None:
    new = [value * times for value in old[::-1]]
    there, back = ratio(new, old, confidence=CONFIDENCE), ratio(old, new, confidence=CONFIDENCE)
    assert there.low <= there.middle * (1 + 1e-9)
    assert there.middle <= there.high * (1 + 1e-9)
    assert math.isclose(there.low * back.high, 1, rel_tol=1e-6)


@given(POSITIVE)
def test_more_confidence_is_never_narrower(values: list[float]) -> None:
    loose, tight = (slope(range(len(values)), values, confidence=level) for level in (0.8, 0.95))
    assert tight.low <= loose.low <= loose.high <= tight.high


@given(st.floats(-10, 10), st.floats(0, 5), st.floats(0, 5), st.floats(-10, 10))
def test_verdict_is_monotone(middle: float, down: float, up: float, most: float) -> None:
    seen = Interval(middle - down, middle, middle + up)
    order = [Verdict.RED, Verdict.UNCLEAR, Verdict.GREEN]
    assert order.index(seen.against(most)) <= order.index(seen.against(most + 1))
