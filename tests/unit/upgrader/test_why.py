"""Why is it waiting? A sentence for every state of a rollout and of the wave at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.upgrader.pictures import NOW, observing, picture, row, wave
from upgrader.picture import Judged, Step
from upgrader.states import Outcome, R, S, U, W
from upgrader.why import why


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


def test_draining_says_how_many_and_when_it_takes_too_long() -> None:
    seen = picture(R.DRAINING, wave(1, W.PASSED, row(1, U.DRAINING, old_sessions=3), row(2, U.DONE)))
    said = why(seen, NOW).text
    assert "3 users on 1 old slot" in said
    assert said.endswith("nobody is cut.")
    assert why(seen, NOW + timedelta(hours=25)).text.endswith("The time agreed for it ended at 14:08.")
