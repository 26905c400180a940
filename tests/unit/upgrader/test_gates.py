"""Verdicts and the sentences that go with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader.gates import Evidence, Side, judge, tail
from upgrader.states import Outcome
from upgrader.strategy import Limits

LIMITS = Limits(login_success_min=0.98, min_logins=20, restarts_max=0)


def sides(canary: tuple[int, int], control: tuple[int, int] = (100, 0), restarts: int = 0) -> Evidence:
    return Evidence(Side("1.3.0", *canary, restarts=restarts), Side("1.1.6", *control))


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        (sides((0, 0)), Outcome.NO_EVIDENCE),
        (sides((19, 0)), Outcome.NO_EVIDENCE),
        (sides((20, 0)), Outcome.PASS),
        (sides((50, 1)), Outcome.PASS),  # equality is allowed
        (sides((20, 1)), Outcome.INCONCLUSIVE),
        (sides((20, 9)), Outcome.FAIL),
        (sides((4, 3)), Outcome.FAIL),  # plain enough before the minimum
        (sides((20, 9), (20, 9)), Outcome.INCONCLUSIVE),  # both fail: not the release
        (sides((20, 0), restarts=1), Outcome.FAIL),
        (Evidence(Side("1.3.0", 20), Side("1.1.6"), lost=["gw-1 rebooted."]), Outcome.FAIL),
        (Evidence(Side("1.3.0", 20), Side("1.1.6"), silent=["gw-1"]), Outcome.NO_EVIDENCE),
    ],
)
def test_outcome(evidence: Evidence, outcome: Outcome) -> None:
    assert judge(evidence, LIMITS).outcome is outcome


def test_one_failure_is_never_enough_to_fail() -> None:
    assert judge(sides((1, 1)), LIMITS).outcome is not Outcome.FAIL


def test_the_sentence_has_the_numbers_of_both_sides() -> None:
    sentence = judge(sides((20, 9), (40, 1)), LIMITS).sentence
    assert "9 of 20 logins failed on 1.3.0, 1 of 40 on 1.1.6" in sentence


def test_silence_is_named() -> None:
    said = judge(Evidence(Side("1.3.0", 30), Side("1.1.6"), silent=["fra-gw-02"]), LIMITS).sentence
    assert "No answer from fra-gw-02" in said


def test_tail_is_the_binomial_one() -> None:
    assert tail(2, 3, 0.5) == pytest.approx(0.5)
    assert tail(0, 3, 0.5) == 1.0


@given(st.integers(0, 300), st.integers(0, 300))
def test_more_failures_never_make_a_better_verdict(tried: int, failed: int) -> None:
    order = [Outcome.PASS, Outcome.NO_EVIDENCE, Outcome.INCONCLUSIVE, Outcome.FAIL]
    failed = min(failed, tried)
    less = judge(sides((tried, max(0, failed - 1))), LIMITS).outcome
    more = judge(sides((tried, failed)), LIMITS).outcome
    assert order.index(more) >= order.index(less) or more is Outcome.NO_EVIDENCE
