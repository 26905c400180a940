"""Strategies as values: each pair of fields that contradict each other is refused when the strategy is loaded."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from upgrader.strategy import SpecError, checked_spec, full_spec, parse_spec

CANARY: dict[str, Any] = {"waves": [{"title": "canary", "count": 1, "weights": [25, 100]}, {"rest": True}]}
ONE: dict[str, Any] = {"waves": [{"rest": True}]}
ROLLING: dict[str, Any] = {"kind": "rolling", "batch": {"percent": 10}}
BLUE_GREEN: dict[str, Any] = {"kind": "blue_green", "waves": [{"rest": True}]}
BETWEEN: dict[str, Any] = BLUE_GREEN | {"between": ["blue", "green"]}
CUT: dict[str, Any] = {"at_deadline": "cut", "cut_at_most": 1}

REFUSED: list[tuple[dict[str, Any], tuple[str | int, ...], str]] = [
    (CANARY | {"poll_seconds": 60, "trial_seconds": 239}, ("trial_seconds",), "at least 4 × poll_seconds"),
    (CANARY | {"observe_seconds": 4}, ("observe_seconds",), "there would never be a verdict"),
    (CANARY | {"observe_seconds": 95}, ("observe_seconds",), "that gives 19 logins; limits.min_logins asks for 20"),
    ({"waves": [{"count": 1, "observe_seconds": 30}]}, ("waves", 0, "observe_seconds"), "gives 6 logins"),
    (CANARY | {"observe_seconds": 0}, ("waves", 0, "weights"), "nobody looks between them"),
    ({"waves": [{"rest": True}, {"count": 1}]}, ("waves", 0, "rest"), "leaves nothing"),
    ({"waves": [{"names": ["a"]}, {"names": ["a", "b"]}]}, ("waves",), "Two waves name a;"),
    ({"waves": [{"names": ["a", "a"]}]}, ("waves", 0, "names"), "twice"),
    (
        ROLLING | {"observe_seconds": 0, "promote": "machine", "failures_max": 1},
        ("failures_max",),
        "nothing would stop",
    ),
    (ONE | {"drain": {"at_deadline": "extend"}}, ("drain", "at_deadline"), "extending needs hours above 0"),
    (ONE | {"drain": {"extend_hours": 2}}, ("drain", "extend_hours"), "nothing else reads them"),
    (ONE | {"drain": {"at_deadline": "cut"}}, ("drain", "at_deadline"), "number of users above 0"),
    (ONE | {"drain": {"cut_at_most": 3}}, ("drain", "cut_at_most"), "nothing else reads it"),
    (ONE | {"drain": {"at_deadline": "cut", "cut_at_most": 1, "sessions_max": 2}}, ("drain", "cut_at_most"), "fewer"),
    (ONE | {"shares": "hand"}, ("shares",), "nothing to let on"),
    (ROLLING | {"shares": "hand"}, ("shares",), "batch by batch"),
    (ONE | {"at_once": 3, "max_out": {"gateways": 2}}, ("at_once",), "max_out.gateways 2"),
    ({"kind": "blue_green", "waves": [{"rest": True, "weights": [50, 100]}]}, ("waves",), "all at once"),
    ({"kind": "blue_green", "waves": [{"count": 1}, {"rest": True}]}, ("waves",), "all at once"),
    ({"kind": "blue_green", "waves": [{"percent": 50}]}, ("waves",), "all at once"),
    (BLUE_GREEN | {"drain": {"sessions_max": 1}}, ("drain", "sessions_max"), "go back as fast"),
    (ONE | {"between": ["blue", "green"]}, ("between",), "kind must be blue_green, and is 'canary'"),
    (BETWEEN | {"between": ["blue"]}, ("between",), "two different pools"),
    (BETWEEN | {"between": ["blue", "blue"]}, ("between",), "two different pools"),
    (BETWEEN | {"between": "blue and green"}, ("between",), "two different pools"),
    (BETWEEN | {"between": ["blue", 7]}, ("between",), "two different pools"),
    (BETWEEN | {"drain": CUT}, ("drain", "at_deadline"), "between two pools nobody is cut"),
    (BETWEEN | {"drain": {"message": "Come again."}}, ("drain", "message"), "still be shown"),
    (BETWEEN | {"trial_seconds": 43_201}, ("trial_seconds",), "43200 at most"),
    (ONE | {"emergency": True, "observe_seconds": 0}, ("waves", 0), "what passes a freeze is watched"),
    (CANARY | {"emergency": True, "shares": "hand"}, ("shares",), "does not wait"),
    (ONE | {"emergency": "yes"}, ("emergency",), "true or false"),
    ({"waves": [{"rest": False}]}, ("waves", 0, "rest"), "must be true"),
    ({"waves": [{"rest": True}] * 101}, ("waves",), "101 waves"),
    ({"waves": [{"labels": {"zone": False}}]}, ("waves", 0, "labels"), "in quotes"),
    ({"waves": [{"rest": True, "title": 7}]}, ("waves", 0, "title"), "text of at most 120"),
    (ROLLING | {"waves": [{"rest": True}]}, ("batch",), "has a batch"),
    ({"kind": "rolling", "batch": {"rest": True}}, ("batch",), "a count or a percent"),
    (ONE | {"drain": {"deadline": 5}}, ("drain", "deadline"), "nobody reads"),
]


@pytest.mark.parametrize(("spec", "where", "says"), REFUSED, ids=[says for *_, says in REFUSED])
def test_a_contradiction_is_refused_at_its_field(spec: dict[str, Any], where: tuple[str | int, ...], says: str) -> None:
    with pytest.raises(SpecError, match=says) as refused:
        checked_spec(spec)
    assert refused.value.where == where


UNREADABLE = [float("nan"), float("inf"), -float("inf"), "0.98", True, None, [], {}]
THRESHOLDS = [
    *(("limits", name) for name in ("login_success_min", "min_logins", "restarts_max")),
    *(("drain", name) for name in ("deadline_hours", "sessions_max", "extend_hours", "cut_at_most")),
]


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
@pytest.mark.parametrize(("part", "name"), THRESHOLDS)
def test_a_threshold_that_cannot_be_read_is_refused(part: str, name: str, value: Any) -> None:
    with pytest.raises(SpecError, match=name):
        parse_spec({**copy.deepcopy(ONE), part: {name: value}})


@pytest.mark.parametrize("value", [*UNREADABLE, 1.5, -1], ids=repr)
@pytest.mark.parametrize("name", ["observe_seconds", "poll_seconds", "trial_seconds", "at_once", "failures_max"])
def test_a_number_of_the_strategy_that_cannot_be_read_is_refused(name: str, value: Any) -> None:
    with pytest.raises(SpecError, match=name):
        parse_spec({**ONE, name: value})


def test_limits_themselves_are_allowed() -> None:
    at_the_limit = CANARY | {"observe_seconds": 100, "poll_seconds": 5, "at_once": 2, "max_out": {"gateways": 2}}
    assert checked_spec(at_the_limit).observe_seconds == 100


@pytest.mark.parametrize("spec", [CANARY, ROLLING, BLUE_GREEN], ids=["canary", "rolling", "blue_green"])
def test_the_full_data_says_the_same(spec: dict[str, Any]) -> None:
    full = full_spec(spec)
    assert parse_spec(full) == parse_spec(spec)
    assert full_spec(full) == full
    assert (full["drain"]["at_deadline"], full["limits"]["min_logins"], full["failures_max"]) == ("ask", 20, 0)


def test_a_plan_of_older_rules_stays_readable() -> None:
    assert parse_spec(CANARY | {"observe_seconds": 4}).observe_seconds == 4
