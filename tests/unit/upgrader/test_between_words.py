"""A switch between two pools says which is which, who is where, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.upgrader.pictures import NOW, picture, row, wave
from upgrader.between_words import effect, shown
from upgrader.facts import facts
from upgrader.picture import GatewayRow, Picture
from upgrader.plan_shown import shown as plan_shown
from upgrader.plan_words import rules
from upgrader.states import R, U, W
from upgrader.strategy import full_spec, parse_spec
from upgrader.strategy_drawing import of_spec
from upgrader.until import ends_say, of_plan, rollback_until
from upgrader.why import why

SPEC: dict[str, Any] = {
    "kind": "blue_green",
    "between": ["blue", "green"],
    "waves": [{"title": "the idle pool", "rest": True}],
}


def entry(number: int, way: str, sessions: int) -> dict[str, Any]:
    return {"id": number, "name": f"gw-{number}", "from": "1.1.6-2", "way": way, "sessions": sessions, "cut": 0}


def plan() -> dict[str, Any]:
    gateways = [entry(3, "incoming", 0), entry(1, "outgoing", 9), entry(2, "outgoing", 4)]
    seconds: dict[str, Any] = {"seconds": 900, "observe_seconds": 900, "why": "", "weights": [100]}
    return {
        "release": {"name": "1.3.0-2", "state_migration": False},
        "spec": full_spec(SPEC),
        "waves": [{"number": 1, "title": "the idle pool", "gateways": gateways, **seconds}],
        "between": {
            "serves": {"id": 1, "name": "blue"},
            "idle": {"id": 2, "name": "green"},
            "balancer": "front",
            "backend": "vpn",
        },
    }


def coming(state: U, sessions: int = 0) -> GatewayRow:
    return row(3, state, way="incoming", pool="green", sessions=sessions, from_slot=1, to_slot=2, kept=0)


def leaving(state: U) -> GatewayRow:
    users: dict[str, Any] = {"sessions": 9, "before": 9, "kept": 8, "drain_until": NOW + timedelta(hours=2)}
    return row(1, state, way="outgoing", pool="blue", from_slot=1, to_slot=1, **users)


def seen(state: R, at: W, *rows: GatewayRow, **columns: Any) -> Picture:
    one = wave(1, at, *rows, weights=(100,), **columns)
    return picture(state, one, between=("blue", "green"), pool="green")


def test_a_plan_shows_both_pools_and_what_happens_in_order() -> None:
    found = shown(plan())
    assert found is not None
    assert [(pool.name, len(pool.gateways), pool.users) for pool in found.pools] == [("blue", 2, 13), ("green", 1, 0)]
    assert found.steps[1].startswith("When all are ready, front/vpn sends new users to green at the same moment")
    assert found.steps[2].startswith("13 users on blue stay there")
    assert shown({"waves": []}) is None
    assert plan_shown(plan()).waves[0].total == 1
    assert effect(plan()).startswith("1 gateway of green gets 1.3.0-2 while nobody is sent there.")


def test_its_rules_speak_of_pools_and_not_of_slots() -> None:
    said = dict(rules(plan()))
    assert "Old slots" not in said
    assert "slot" not in " ".join(said.values())
    assert said["A FAIL"].startswith("Sends all new users back by itself")
    drawing = of_spec(parse_spec(SPEC))
    assert (drawing.left, "blue and green" in drawing.together) == ("The pool that served", True)


WAITS: list[tuple[Picture, str]] = [
    (seen(R.PLANNED, W.PLANNED, coming(U.PLANNED), leaving(U.PLANNED)), "1 gateway of green gets 1.3.0-2, then new"),
    (seen(R.UPGRADING, W.UPGRADING, coming(U.UPGRADING), leaving(U.READY)), "New users stay on blue until all have."),
    (seen(R.UPGRADING, W.UPGRADING, coming(U.OBSERVING), leaving(U.READY)), "1 gateway of green takes new users"),
    (
        seen(
            *(R.UPGRADING, W.OBSERVING, coming(U.OBSERVING), leaving(U.OBSERVING)),
            observe_until=NOW + timedelta(minutes=6),
        ),
        "green with 1.3.0-2; 9 users on blue stay there until they leave. Observed against blue: 6 min left.",
    ),
    (seen(R.DRAINING, W.PASSED, coming(U.DONE), leaving(U.DRAINING)), "9 users on blue stay there until they leave"),
    (seen(R.DONE, W.PASSED, coming(U.DONE), leaving(U.DONE)), "blue stands idle with 1.1.6-2"),
    (seen(R.ROLLING_BACK, W.ROLLING_BACK, coming(U.ROLLING_BACK)), "new users are sent to blue again"),
    (seen(R.ROLLED_BACK, W.ROLLED_BACK, coming(U.ROLLED_BACK, 2)), "2 users on green stay there until they leave"),
]


@pytest.mark.parametrize(
    ("given", "says"), WAITS, ids=[given.state.value + str(n) for n, (given, _) in enumerate(WAITS)]
)
def test_why_it_waits_names_the_pools(given: Picture, says: str) -> None:
    assert says in why(given, NOW).text


def test_the_way_back_has_no_end() -> None:
    done = seen(R.DONE, W.PASSED, coming(U.DONE), leaving(U.DONE))
    for until in (rollback_until(done, NOW), of_plan(plan())):
        assert (until.big, until.small) == ("no limit", "blue stands as it is: new users are sent back there at once")
    assert ends_say(replace(done, state=R.PLANNED), NOW) == ""
    assert "blue → green" in [fact.big for fact in facts(done, None, NOW)]


def test_a_gateway_says_whether_new_users_come() -> None:
    assert coming(U.READY).line == "green: no new users are sent here"
    assert coming(U.OBSERVING).line == "green: new users → 1.3.0-2"
    assert leaving(U.READY).line == "blue: new users → 1.1.6-2 · kept 8 of 9"
    assert leaving(U.DRAINING).line == "blue: no new users are sent here · kept 8 of 9"
    assert leaving(U.DONE).label == "0 sessions on 1.1.6-2"


def test_only_who_brings_the_release_carries_it_and_both_sides_go_back() -> None:
    over = seen(R.DRAINING, W.PASSED, coming(U.DONE), leaving(U.DRAINING))
    assert over.carrying == 1
    assert len(over.goes_back) == 2
    assert over.overdue(NOW + timedelta(hours=9)) == ()
