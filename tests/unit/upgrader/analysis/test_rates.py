"""Failures of tries: what is found, how soon, and that looking often raises no alarm."""

from __future__ import annotations

import random
from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader.analysis.rates import AGREE, Counted, above, against_limit, apart, bursts, compared

SURE = log(100)
FEW, MANY = Counted(75, 0), Counted(3000, 15)


def streams(rng: random.Random, rates: tuple[float, float], per_look: tuple[float, float]) -> tuple[Counted, Counted]:
    """A window of 180 looks without any difference from look to look; stops when the first is found to be worse."""
    one, other = Counted(), Counted()
    for _ in range(180):
        tried = [int(each) + (rng.random() < each % 1) for each in per_look]
        failed = [sum(rng.random() < rate for _ in range(n)) for rate, n in zip(rates, tried, strict=True)]
        one, other = one.looked(tried[0], failed[0]), other.looked(tried[1], failed[1])
        if above(one, other) >= SURE:
            break
    return one, other


@pytest.mark.parametrize("rate", [0.0, 0.005, 0.02, 0.2])
def test_equal_rates_raise_no_alarm_however_often_one_looks(rate: float) -> None:
    rng = random.Random(5)
    alarms = sum(above(*streams(rng, (rate, rate), (0.4, 3.0))) >= SURE for _ in range(100))
    assert alarms <= 1  # in a hundred windows


def test_ten_percent_beside_half_a_percent_is_found() -> None:
    rng = random.Random(6)
    found = sum(above(*streams(rng, (0.1, 0.005), (0.4, 15.0))) >= SURE for _ in range(40))
    assert found >= 36


def test_a_baseline_of_zero_is_no_blind_spot() -> None:
    assert above(Counted(10, 3), Counted(130, 0)) > SURE
    assert compared(Counted(10, 3), Counted(10, 0), Counted(120, 0)).evidence > SURE


def test_nothing_beside_it_says_nothing() -> None:
    found = compared(Counted(50, 50), Counted(), Counted())
    assert (found.evidence, found.baseline) == (0.0, "")


def test_the_past_counts_while_the_old_slot_is_as_it_was() -> None:
    assert compared(Counted(50, 5), Counted(50, 0), MANY).baseline == "old slot and its past"
    assert compared(Counted(50, 5), Counted(), MANY).baseline == "its own past"
    assert compared(Counted(50, 5), FEW, Counted()).baseline == "old slot"


def test_a_fault_of_the_hour_is_not_the_releases() -> None:
    """The directory behind both is down: the old slot fails as it never did, and so does the new one."""
    found = compared(Counted(60, 40), Counted(60, 40), MANY)
    assert found.baseline == "the worse of old slot and its past"
    assert found.evidence < 0 < SURE < above(Counted(60, 40), MANY)


def test_apart_is_the_same_both_ways() -> None:
    one, other = Counted(50, 20), Counted(60, 2)
    assert apart(one, other) == pytest.approx(apart(other, one))
    assert apart(one, other) > AGREE > apart(one, one)


def looked(failures: list[int]) -> Counted:
    side = Counted()
    for failed in failures:
        side = side.looked(10, failed)
    return side


def test_failures_that_come_in_bursts_weigh_less() -> None:
    even, burst = looked([0, 0, 0, 0, 0, 1] * 30), looked(([5] * 3 + [0] * 87) * 2)
    assert even.failed == burst.failed == 30
    assert bursts(even) == 1.0 < bursts(burst)
    worse = Counted(400, 30)
    assert above(worse, burst) < above(worse, even)
    assert (even.hits, burst.hits) == (30, 2)


def test_an_interval_is_six_looks() -> None:
    side = looked([1, 0, 1, 0, 0, 0, 2])
    assert (side.together, side.hits) == (2, 2)
    assert side.squares == 3600


def test_a_run_is_broken_by_one_success() -> None:
    side = Counted().looked(1, 1).looked(1, 1)
    assert side.run == 2
    assert side.looked(0, 0).run == 2
    assert side.looked(1, 0).run == 0
    assert (side + Counted(5, 5, run=5)).run == 5


def test_a_release_that_breaks_late_is_found_by_three_logins_in_a_row() -> None:
    assert against_limit(Counted(500, 3, run=3), 0.02) > log(200)  # half of the weight is its
    assert against_limit(Counted(500, 3), 0.02) < 0
    assert against_limit(Counted(500, 2, run=2), 0.02) < SURE


@pytest.mark.parametrize(("limit", "evidence"), [(0.0, inf), (1.0, 0.0)])
def test_limits_that_are_no_rate(limit: float, evidence: float) -> None:
    assert against_limit(Counted(10, 3), limit) == evidence
    assert against_limit(Counted(10, 0), limit) == 0.0


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 200))
def test_more_failures_are_more_evidence(failed: int, tried: int, control: int) -> None:
    side, more = Counted(tried + failed + 1, failed), Counted(tried + failed + 1, failed + 1)
    beside = Counted(300, control)
    assert against_limit(more, 0.02) >= against_limit(side, 0.02)
    assert above(more, beside) > above(side, beside)
    assert above(side, beside) >= above(side, Counted(300, control + 1))
