"""Sizes beside others and beside the hour of the week: what moves all is nobody's, what moves one is told."""

from __future__ import annotations

import random
from math import exp, log

import pytest

from upgrader.analysis import apart
from upgrader.analysis.times import Pair, Sums, slower

BEFORE, AFTER = 60, 30


def line(rng: random.Random, level: float, times: list[float]) -> dict[int, float]:
    return {30 * n: level * more * exp(0.1 * rng.gauss(0, 1)) for n, more in enumerate(times)}


def pair(*, busy: float, mine: float) -> Pair:
    """A canary at 20 ms beside four gateways at other levels; then all are so many times busier, it alone `mine`."""
    rng = random.Random(7)
    times = [1.0] * BEFORE + [busy] * AFTER
    own = {"0": line(rng, 20, times)}
    others = {str(n): line(rng, 50 * n, times) for n in range(1, 5)}
    parts = [({k: v for k, v in own["0"].items() if (k < 30 * BEFORE) == old}) for old in (True, False)]
    early = {name: {at: v for at, v in one.items() if at < 30 * BEFORE} for name, one in others.items()}
    level = apart.levels({"0": parts[0], **early})
    sums = Sums()
    for value in apart.beside({"0": parts[0]}, early, level):
        sums = sums.added(log(value))
    found = Pair(control=sums)
    for value in apart.beside({"0": {at: mine * size for at, size in parts[1].items()}}, others, level):
        found = found.later(value)
    return found


def test_a_busy_hour_moves_all_and_says_nothing_about_one() -> None:
    told = slower([pair(busy=3.0, mine=1.0)])
    assert told.ratio == pytest.approx(1.0, abs=0.1)
    assert told.evidence < 1


def test_what_one_alone_does_is_told_with_its_size_however_different_the_levels() -> None:
    told = slower([pair(busy=0.5, mine=2.0)])
    assert told.ratio == pytest.approx(2.0, abs=0.2)
    assert told.evidence > 20
    assert told.pairs == AFTER


def test_one_other_alone_is_nothing_to_stand_beside() -> None:
    lines = {"0": {0: 1.0, 30: 2.0}}
    assert apart.beside(lines, {"1": {0: 1.0}}, {"0": 0.0, "1": 0.0}) == []
    assert apart.beside(lines, {"1": {0: 1.0}, "2": {0: 1.0}}, dict.fromkeys("012", 0.0)) == [1.0]


def test_a_line_that_is_short_before_has_no_level() -> None:
    assert apart.levels({"a": dict.fromkeys(range(apart.LEAST - 1), 2.0)}) == {}
    assert apart.levels({"a": dict.fromkeys(range(apart.LEAST), 1.0)}) == {"a": 0.0}


def test_an_hour_brings_at_most_what_other_weeks_let_expect() -> None:
    assert apart.brings({0: (1.0, 2.0)}) is None, "one week is no habit"
    steady = apart.brings({n: (1.0, 2.0) for n in range(4)})
    assert steady == pytest.approx(log(2))
    unsteady = apart.brings({0: (1.0, 1.0), 1: (1.0, 4.0), 2: (0.0, 1.0)})
    assert unsteady is not None
    assert unsteady > log(4), "weeks that differ leave room"
