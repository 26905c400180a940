"""When a rule fires and when it is over: for how long, at equality, without evidence."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fleet.alarms.judge import BLIND_SECONDS, Stand, blind, judged
from fleet.alarms.rules import DEFAULTS, Rule, parse

RULE = parse("session-errors", DEFAULTS["session-errors"].spec)  # above 3 for 120 s, clears at 1


def run(rule: Rule, *values: float | None, every: float = 60.0) -> list[bool]:
    """Whether it fires after each of the values."""
    stand: Stand | None = None
    fired = []
    for turn, value in enumerate(values):
        stand = judged(rule, stand, value, turn * every)
        fired.append(bool(stand and stand.firing))
    return fired


def test_it_fires_when_the_limit_is_passed_for_long_enough() -> None:
    assert run(RULE, 4, 4, 4, 4) == [False, False, True, True]


def test_a_dip_begins_the_time_anew() -> None:
    assert run(RULE, 4, 4, 3, 4, 4, 4) == [False] * 5 + [True]


def test_equal_to_the_threshold_is_allowed_and_equal_to_the_other_clears() -> None:
    assert run(RULE, 3, 3, 3, 3) == [False] * 4
    assert run(RULE, 4, 4, 4, 2, 1.1, 1) == [False, False, True, True, True, False]


def test_below_is_the_same_the_other_way() -> None:
    rule = replace(RULE, above=False, threshold=1, clears_at=3, for_seconds=0)
    assert run(rule, 2, 0, 2, 3) == [False, True, True, False]


def test_what_is_not_known_neither_begins_nor_ends_anything() -> None:
    assert run(RULE, 4, None, 4, 4, 4, None, None, 0) == [False] * 4 + [True] * 3 + [False]


def test_for_no_time_it_fires_at_once() -> None:
    assert run(replace(RULE, for_seconds=0), 4) == [True]


def test_a_rule_that_can_not_be_judged_is_an_alert_after_ten_minutes() -> None:
    first = blind(None, 100.0, is_blind=True)
    assert first is not None
    assert not first.firing
    assert blind(first, 100.0 + BLIND_SECONDS, is_blind=True) == Stand(100.0, firing=True, value=None)
    assert blind(first, 200.0, is_blind=False) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 10)), max_size=30))
def test_it_never_fires_before_its_time_and_never_clears_above_its_other_value(values: list[float | None]) -> None:
    stand: Stand | None = None
    for turn, value in enumerate(values):
        before, stand = stand, judged(RULE, stand, value, turn * 30.0)
        if stand and stand.firing and not (before and before.firing):
            assert turn * 30.0 - stand.since >= RULE.for_seconds
            assert value is not None
            assert value > RULE.threshold
        if before and before.firing and stand is None:
            assert value is not None
            assert value <= RULE.clears_at
