"""Until when going back is a matter of a moment, from the draft to the last old slot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.upgrader.pictures import NOW, picture, row, wave
from upgrader.states import R, U, W
from upgrader.strategy import Drain
from upgrader.until import ends_say, rollback_until, why_not_migration


def test_a_draft_says_it_from_the_start_on() -> None:
    seen = picture(R.PLANNED, wave(1, W.PLANNED, row(1), observe_seconds=600))
    until = rollback_until(seen, NOW)
    assert (until.big, until.at) == ("start + 20 min", None)
    assert until.small == "at the earliest: empty old slots retire, then it needs a second person"


def test_while_a_share_is_observed_the_next_ones_are_counted() -> None:
    left = {"observe_seconds": 600, "observe_until": NOW + timedelta(minutes=2), "stage": 0}
    seen = picture(R.UPGRADING, wave(1, W.OBSERVING, row(1, U.OBSERVING), **left))
    assert rollback_until(seen, NOW).at == NOW + timedelta(minutes=12)
    assert rollback_until(seen, NOW).big == "14:20"


def test_a_drain_ends_it_as_soon_as_a_slot_is_empty() -> None:
    seen = picture(R.DRAINING, wave(1, W.PASSED, row(1, U.DRAINING, drain_until=NOW + timedelta(hours=8))))
    assert (rollback_until(seen, NOW).big, rollback_until(seen, NOW).at) == ("slots are empty", NOW)
    cuts = replace(seen, drain=Drain(deadline_hours=8, at_deadline="cut"))
    assert rollback_until(cuts, NOW).big == "22:08"


def test_after_old_slots_are_retired_it_needs_approval() -> None:
    gone, there = row(1, U.DONE, gone=True), row(2, U.DRAINING)
    assert rollback_until(picture(R.DONE, wave(1, W.PASSED, gone)), NOW).big == "over"
    mixed = rollback_until(picture(R.DRAINING, wave(1, W.PASSED, gone, there)), NOW)
    assert (mixed.big, mixed.small) == (
        "over on 1",
        "those only with approval, for their old slots are retired; 1 at once",
    )


def test_state_migration_and_restarts_in_place() -> None:
    assert rollback_until(picture(R.PLANNED, state_migration=True), NOW).big == "the start"
    in_place = rollback_until(picture(R.PLANNED, wave(1, W.PLANNED, row(1, way="in_place"))), NOW)
    assert in_place.small == "but users of 1 gateway have to sign in again"


def test_the_approval_says_when_the_quick_way_back_ends() -> None:
    seen = picture(R.WAITING_APPROVAL, wave(1, W.PLANNED, row(1), row(2), observe_seconds=600))
    assert ends_say(seen, NOW) == (
        "2 old slots are retired when empty, at the earliest 20 min after the start: from then on rolling back needs a "
        "second person. After 1 d on-call is asked; nobody is cut without that."
    )
    cuts = Drain(deadline_hours=8, sessions_max=2, at_deadline="cut", cut_at_most=5)
    assert "or have at most 2 users, who are cut" in ends_say(replace(seen, drain=cuts), NOW)
    assert ends_say(replace(seen, drain=cuts), NOW).endswith(
        "After 8 h up to 5 users a gateway are cut; with more on it on-call is asked."
    )


@pytest.mark.parametrize("reason", ["As planned", ""])
def test_a_release_that_migrates_is_approved_by_that_name(reason: str) -> None:
    assert "with a reason that says the word migration" in why_not_migration(True, reason)
    assert why_not_migration(False, reason) == ""
    assert why_not_migration(True, f"{reason} The migration was tried on staging.") == ""
