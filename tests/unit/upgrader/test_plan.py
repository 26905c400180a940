"""Waves, their order and their digest."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upgrader import plan
from upgrader.plan_waves import Target, Waves
from upgrader.strategy import SpecError, parse_spec

SPEC: dict[str, Any] = {
    "waves": [
        {"title": "canary", "count": 1, "weights": [25, 100]},
        {"title": "half", "percent": 50},
        {"title": "rest", "rest": True},
    ],
    "observe_seconds": 600,
    "poll_seconds": 5,
    "trial_seconds": 900,
    "at_once": 2,
    "promote": "hand",
    "limits": {"login_success_min": 0.98, "min_logins": 20, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}


def targets(count: int, domains: int = 1) -> list[Target]:
    return [Target(n, f"gw-{n:02}", "1.1.6-3", 100 - n, f"d{n % domains}") for n in range(count)]


def names(waves: Waves) -> list[list[str]]:
    return [[target.name for target in dealt.targets] for dealt in waves.dealt]


def test_waves_are_count_percent_rest() -> None:
    sizes = [len(wave) for wave in names(plan.cut_waves(parse_spec(SPEC), targets(16)))]
    assert sizes == [1, 8, 7]


def test_fewest_users_go_first() -> None:
    waves = names(plan.cut_waves(parse_spec(SPEC), targets(4)))
    assert waves == [["gw-03"], ["gw-02", "gw-01"], ["gw-00"]]


def test_domains_take_turns() -> None:
    ordered = [target.domain for target in plan.in_order(targets(6, domains=3))]
    assert sorted(ordered[:3]) == sorted(ordered[3:]) == ["d0", "d1", "d2"]


def test_a_wave_that_would_be_empty_is_left_out_and_said_so() -> None:
    waves = plan.cut_waves(parse_spec(SPEC), targets(1))
    assert len(waves.dealt) == 1
    assert waves.left_out[0] == "Wave 2 of the strategy (half) is left out: no gateway is left for it."


@given(st.integers(1, 60), st.integers(1, 5))
def test_every_gateway_is_in_exactly_one_wave(count: int, domains: int) -> None:
    dealt = [name for wave in names(plan.cut_waves(parse_spec(SPEC), targets(count, domains))) for name in wave]
    assert sorted(dealt) == sorted(target.name for target in targets(count))


def test_gateways_beyond_the_last_wave_join_it() -> None:
    spec = parse_spec(SPEC | {"waves": [{"count": 1}, {"count": 2}]})
    assert [len(wave) for wave in names(plan.cut_waves(spec, targets(7)))] == [1, 6]


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"waves": []}, "no waves"),
    ({"promote": "maybe"}, "hand, machine"),
    ({"at_once": 0}, "at_once"),
    ({"observe_seconds": "600"}, "observe_seconds"),
    ({"limits": {"login_success_min": "high"}}, "login_success_min"),
    ({"limits": {"login_success_min": 2, "min_logins": 1, "restarts_max": 0}}, "login_success_min"),
    ({"trial_seconds": 10}, "trial_seconds"),
    ({"trial_seconds": 100, "poll_seconds": 50}, "4 × poll_seconds"),
    ({"waves": [{"count": 1, "percent": 5}]}, "one of count"),
    ({"waves": [{"count": 1, "weights": [100, 25]}]}, "weights"),
    ({"waves": [{"count": 1, "weights": [25]}]}, "weights"),
    ({"surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("change", "word"), BROKEN, ids=[word for _, word in BROKEN])
def test_a_strategy_that_cannot_be_read_says_which_field(change: dict[str, Any], word: str) -> None:
    with pytest.raises(SpecError, match=word):
        parse_spec(copy.deepcopy(SPEC) | change)


def built(**change: Any) -> dict[str, Any]:
    release = {"name": "1.3.0-2", "version": "1.3.0", "digest": "a" * 64, "state_migration": False} | change
    strategy = {"name": "careful", "version": 1, "title": "Careful canary", "spec": SPEC}
    return plan.build(release=release, pool="eu-west", strategy=strategy, targets=targets(4))


def test_the_digest_does_not_depend_on_order_of_keys() -> None:
    assert plan.digest(built()) == plan.digest(dict(reversed(built().items())))


def test_the_digest_changes_with_anything_in_the_plan() -> None:
    other = built()
    other["waves"][0]["gateways"][0]["id"] = 99
    assert len({plan.digest(built()), plan.digest(built(digest="b" * 64)), plan.digest(other)}) == 3
