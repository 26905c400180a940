"""Sums of evidence."""

from __future__ import annotations

from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader.analysis.evalues import NOTHING, averaged, chance, log_sum


def test_log_sum_neither_overflows_nor_loses_what_is_small() -> None:
    assert log_sum([900.0, 900.0]) == pytest.approx(900 + log(2))
    assert log_sum([]) == NOTHING == log_sum([NOTHING])
    assert log_sum([inf, 1.0]) == inf


def test_the_average_is_that_of_the_numbers_and_not_of_their_logarithms() -> None:
    assert averaged([0.5, 0.5], [log(300), log(100)]) == pytest.approx(log(200))
    assert averaged([0.0, 1.0], [inf, 0.0]) == 0.0


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_one_metric_alone_can_carry_an_average(evidence: list[float]) -> None:
    weights = [1 / len(evidence)] * len(evidence)
    assert averaged(weights, evidence) >= max(evidence) - log(len(evidence)) - 1e-9
    assert averaged(weights, evidence) <= max(evidence) + 1e-9


def test_chance_is_at_most_certain() -> None:
    assert chance(log(100)) == pytest.approx(0.01)
    assert chance(-3.0) == chance(NOTHING) == 1.0
    assert chance(inf) == 0.0
