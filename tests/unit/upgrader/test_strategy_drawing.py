"""The picture of a strategy and of a plan, as geometry and words."""

from __future__ import annotations

from typing import Any

from upgrader import plan, strategy_drawing
from upgrader.plan_shown import NAMES, WAVES, shown
from upgrader.plan_waves import Target
from upgrader.strategy import checked_spec
from upgrader.strategy_drawing import GEAR, HAND, ROWS

RELEASE = {"name": "1.3.0-2", "version": "1.3.0", "digest": "a" * 64, "state_migration": False}
CANARY: dict[str, Any] = {"waves": [{"title": "one", "count": 1, "weights": [5, 25, 50, 100]}, {"rest": True}]}


def drawn(spec: dict[str, Any]) -> strategy_drawing.Drawing:
    return strategy_drawing.of_spec(checked_spec(spec))


def planned(spec: dict[str, Any], gateways: int) -> dict[str, Any]:
    how = {"name": "x", "version": 1, "title": "X", "spec": spec}
    targets = [Target(n, f"gw-{n}", "1.1.6", n, "") for n in range(gateways)]
    return plan.build(release=RELEASE, pool="eu", strategy=how, targets=targets)


def test_shares_rise_to_the_whole_and_stand_in_a_row() -> None:
    first = drawn(CANARY).rows[0]
    assert [step.label for step in first.steps] == ["5 %", "25 %", "50 %", "100 %"]
    heights = [step.height for step in first.steps]
    assert heights == sorted(heights)
    for step, following in zip(first.steps, first.steps[1:], strict=False):
        assert step.x < step.end < step.gap_end == following.x
    assert first.steps[-1].gap_end == 100
    assert first.say == "5 %, then 25 %, then 50 %, then 100 % of the new clients, watched for 15 min each"


def test_who_lets_it_on_is_a_hand_or_a_gear() -> None:
    rows = drawn(CANARY | {"shares": "hand", "promote": "machine"}).rows
    assert (rows[0].shares, rows[0].then, rows[1].then) == (HAND, GEAR, None)


def test_many_shares_leave_their_words_out_where_there_is_no_room() -> None:
    steps = drawn({"waves": [{"rest": True, "weights": [*range(10, 101, 10)]}]}).rows[0].steps
    assert [step.label for step in steps if step.label] == ["10 %", "100 %"]
    assert not any(step.gap for step in steps)
    assert drawn(CANARY).rows[0].each == "each watched for 15 min"


def test_unwatched_has_no_gap() -> None:
    (step,) = drawn({"waves": [{"rest": True}], "observe_seconds": 0}).rows[0].steps
    assert (step.width, step.gap) == (100.0, "")


def test_blue_green_shifts_together_and_a_batch_repeats() -> None:
    assert drawn({"kind": "blue_green", "waves": [{"rest": True}]}).together
    rolling = drawn({"kind": "rolling", "batch": {"percent": 10}})
    assert rolling.more.startswith("Then the next batch")
    assert rolling.rows[0].which == "10 % of the gateways"


def test_a_plan_shows_its_gateways_and_users() -> None:
    found = strategy_drawing.of_plan(planned(CANARY, 4))
    assert [row.which for row in found.rows] == ["1 gateway · 0 users now", "3 gateways · 6 users now"]


def test_a_plan_of_thousands_is_shown_in_bounds() -> None:
    made = planned({"kind": "rolling", "batch": {"count": 20}}, 2_000)
    assert len(strategy_drawing.of_plan(made).rows) == ROWS
    page = shown(made)
    assert len(page.waves) == WAVES
    assert (len(page.waves[0].first), len(page.waves[0].rest), page.waves[0].beyond) == (NAMES, 20 - NAMES, 0)
    assert page.more.startswith("80 more waves with 1,600 gateways. The last ends about")


def test_an_older_plan_is_shown_without_what_it_did_not_say() -> None:
    made = planned(CANARY, 2)
    for wave in made["waves"]:
        for name in ("seconds", "why", "observe_seconds"):
            del wave[name]
        for gateway in wave["gateways"]:
            for name in ("way", "cut", "group", "domain"):
                del gateway[name]
    del made["left_out"], made["times"], made["cut"], made["passes"]
    page = shown(made | {"spec": CANARY})
    assert (page.waves[0].takes, page.waves[0].why, page.times, page.warnings) == ("", "", "", [])


def test_a_plan_that_cannot_be_read_still_opens() -> None:
    page = shown(planned(CANARY, 2) | {"spec": {"waves": []}})
    assert (page.rules, page.drawing) == ([("Strategy", "It can't be read: The strategy has no waves.")], None)
