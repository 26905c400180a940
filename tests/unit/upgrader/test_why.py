"""Why is it waiting? A sentence for every state of a rollout and of the wave at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.upgrader.pictures import NOW, observing, picture, row, wave
from upgrader.picture import Asked, Judged, Picture, Step
from upgrader.states import Outcome, R, S, U, W
from upgrader.strategy import Drain
from upgrader.why import begins, why


@pytest.mark.parametrize("state", R)
@pytest.mark.parametrize("at_work", [*W, None])
def test_every_state_has_a_sentence(state: R, at_work: W | None) -> None:
    first = wave(1, at_work or W.PASSED, row(1, U.UPGRADING), observe_until=NOW + timedelta(seconds=30))
    waves = (first,) if at_work is None else (first, wave(2, W.PLANNED, row(2)))
    said = why(picture(state, *waves, decide_until=NOW + timedelta(hours=2)), NOW).text
    assert said.endswith((".", "twice."))
    assert said[0].isupper()
    assert "_" not in said
    assert "  " not in said


def test_counts_down_and_says_what_comes() -> None:
    said = why(observing(), NOW)
    assert said.until == NOW + timedelta(minutes=6, seconds=12)
    assert said.text == (
        "Wave 1 is being observed at 100 % of new users: 6 min 12 s left. "
        "Then wave 2 waits for a person, because it touches 20 users."
    )


def test_machine_promotes() -> None:
    assert why(observing(promote="machine"), NOW).text.endswith("Then wave 2 starts by itself: 20 users.")


def test_next_share_of_the_same_wave() -> None:
    seen = observing()
    first = replace(seen.waves[0], stage=0)
    assert why(replace(seen, waves=(first, seen.waves[1])), NOW).text.endswith("Then it goes on to 100 %.")


def test_last_wave_leads_to_draining() -> None:
    seen = observing()
    said = why(replace(seen, waves=seen.waves[:1]), NOW).text
    assert said.endswith("Then 1.3.0-2 becomes permanent and the old slots drain.")


def test_failing_verdict_is_said_before_it_acts() -> None:
    seen = observing()
    first = replace(seen.waves[0], verdict=Judged(Outcome.FAIL, "bad", NOW, final=False))
    assert "it is taken back" in why(replace(seen, waves=(first, seen.waves[1])), NOW).text


def test_trouble_of_a_gateway_comes_first() -> None:
    step = Step("stage", S.DUE, error="no answer from gw-1", attempts=3)
    first = wave(1, W.UPGRADING, row(1, U.UPGRADING, step=step))
    said = why(picture(R.UPGRADING, first), NOW).text
    assert "gw-1 has trouble, tried 3 times: No answer from gw-1." in said


def test_rolled_back_says_why() -> None:
    first = wave(
        1, W.ROLLED_BACK, row(1, U.ROLLED_BACK), verdict=Judged(Outcome.FAIL, "14 of 126 failed", NOW, final=True)
    )
    twice = "Rolled back and verified. Why: 14 of 126 failed"
    for reason in ("Rolled back and verified.", twice):
        said = why(picture(R.ROLLED_BACK, first, reason=reason), NOW).text
        assert said == "Rolled back at 14:08. Wave 1 failed: 14 of 126 failed. Rolled back and verified."


@pytest.mark.parametrize(
    ("rows", "say"), [(1, "The empty old slot of gw-1 is kept"), (2, "The empty old slots of gw-1 and gw-2 are kept")]
)
def test_on_hold_says_that_empty_slots_are_kept(rows: int, say: str) -> None:
    step = Step("retire", S.DUE)
    passed = wave(1, W.PASSED, *(row(number + 1, U.DRAINING, step=step) for number in range(rows)))
    assert f"{say}, so that the way back stays short. Users stay" in why(picture(R.HELD, passed), NOW).text


def test_draining_says_how_many_and_what_comes_at_the_end_of_its_time() -> None:
    until = NOW + timedelta(hours=8)
    seen = picture(R.DRAINING, wave(1, W.PASSED, row(1, U.DRAINING, old_sessions=3, drain_until=until), row(2, U.DONE)))
    assert why(seen, NOW).text == (
        "All 2 gateways serve 1.3.0-2 to new users. 3 users on 1 old slot: each slot retires when it is empty; "
        "at 22:08 on-call is asked, nobody is cut without that."
    )
    cuts = replace(seen, drain=Drain(deadline_hours=8, at_deadline="cut", cut_at_most=5))
    assert why(cuts, NOW).text.endswith("up to 5 users a gateway are cut, with more on-call is asked.")


def overdue(**columns: Any) -> Picture:
    late = row(1, U.DRAINING, old_sessions=3, drain_left=3, drain_until=NOW - timedelta(minutes=8))
    return picture(R.DRAINING, wave(1, W.PASSED, late), **columns)


def test_a_drain_over_its_time_says_who_decides_and_that_nobody_is_cut() -> None:
    assert why(overdue(), NOW).text.endswith(
        "The time of 1 slot with 3 users ended at 14:00. Somebody who may hold on eu-west gives them more hours, or "
        "asks to cut them; until then nobody is cut."
    )


def asked(**columns: Any) -> Asked:
    said: dict[str, Any] = {"state": "open", "digest": "0" * 64, "by": "operator", "own": False, "why": "logins hang"}
    return Asked(**(said | {"at": NOW, "expires_at": NOW + timedelta(hours=2)} | columns))


def test_a_question_about_cutting_counts_down() -> None:
    cut = asked(why="it must reboot", summary={"users": 3, "cuts": [{"id": 1}]})
    assert why(overdue(cut_asked=cut), NOW).text == (
        "Asked by operator: cut 3 users on 1 old slot whose time is over: “it must reboot”. Somebody else who may "
        "approve on eu-west decides. The question ends in 2 h; nobody is cut before."
    )


BECAUSE = "Rolling back needs a second person: it takes back 3 gateways, and one person alone may take back 2."


def test_a_question_about_rolling_back_says_why_a_second_person_is_needed() -> None:
    seen = picture(R.HELD, back=asked(summary={"because": BECAUSE}))
    assert why(seen, NOW).text == (
        f"{BECAUSE} operator asked at 14:08: “logins hang”. Somebody else who may approve on eu-west decides. "
        "The question ends in 2 h; until then the rollout stays on hold."
    )


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ({"state": "rejected", "said_by": "cal", "said": "not us"}, "cal said no to the rollback: “not us”. "),
        ({"state": "expired"}, "Nobody decided on the rollback until 16:08: ask again. "),
        ({"state": "void"}, "Because. "),
    ],
)
def test_what_came_of_the_question_is_said(said: dict[str, Any], end: str) -> None:
    text = why(picture(R.HELD, back=asked(**said)), NOW).text
    assert f"{end}Users stay where they are" in text


def test_waits_by_a_window_or_a_budget_are_said_where_something_would_begin() -> None:
    first, second = wave(1, W.PASSED, row(1, U.DRAINING)), wave(2, W.PLANNED, row(2), row(3))
    said = why(picture(R.UPGRADING, first, second, waits="Outside of the window of eu-west, until 22:00."), NOW).text
    assert said == "Wave 2 waits: 2 gateways, 20 users. Outside of the window of eu-west, until 22:00."


def test_blue_green_says_how_many_are_ready() -> None:
    first = wave(1, W.UPGRADING, row(1, U.READY), row(2, U.UPGRADING))
    assert why(picture(R.UPGRADING, first), NOW).text == (
        "Wave 1: 1 of 2 gateways has the new release ready beside the old one; all shift at the same moment when the "
        "last has."
    )


def test_who_failed_and_who_was_left_out_is_said() -> None:
    first = wave(1, W.UPGRADING, row(1, U.OBSERVING), row(2, U.FAILED), row(3, U.SKIPPED))
    said = why(picture(R.UPGRADING, first, failures_max=2), NOW).text
    assert said.endswith("Left out: gw-3. Failed, 2 may: gw-2.")


def test_a_planned_wave_says_when_it_begins() -> None:
    first, second = wave(1, W.PLANNED, row(1, U.PLANNED)), wave(2, W.PLANNED, row(2, U.PLANNED))
    said = {
        R.WAITING_APPROVAL: ("after the approval", "after wave 1, by hand"),
        R.UPGRADING: ("now", "after wave 1, by hand"),
        R.HELD: ("not while it is on hold", "not while it is on hold"),
        R.ROLLED_BACK: ("did not start", "did not start"),
    }
    for state, words in said.items():
        seen = picture(state, first, second)
        assert (begins(seen, first), begins(seen, second)) == words
    assert begins(replace(picture(R.UPGRADING, first), waits="Frozen."), first) == "as soon as it may"
    assert replace(picture(R.UPGRADING, first), waits="Frozen.").word.say == "Waits to begin"


def test_waiting_for_room_says_that_it_ends_by_itself() -> None:
    first = wave(1, W.PLANNED, row(1, U.PLANNED))
    full = "Waits for room: 1 of 4 gateways of eu may be out (25 %); gw-2 does not answer."
    said = why(replace(picture(R.UPGRADING, first), waits=full), NOW).text
    assert said.startswith("Wave 1 waits for room: 1 gateway, ")
    assert said.endswith(
        "1 of 4 gateways of eu may be out (25 %); gw-2 does not answer. It begins by itself when there is room."
    )
