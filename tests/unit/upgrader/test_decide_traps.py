"""Traps that other systems fell into: empty groups, equal limits, old releases that are no better, second failures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.upgrader.seen import NOW, seen, to, up, wave
from upgrader.decide import decide
from upgrader.states import ACTION_STATES, Outcome, R, U, W

FAIL = Outcome.FAIL
ILL = "Logins on slot 1 of gw-1 fail too."


@pytest.mark.parametrize("state", [W.UPGRADING, W.COMMITTING])
def test_a_wave_without_gateways_is_no_success(state: W) -> None:
    move = decide(seen(R.UPGRADING, wave(state)))
    assert to(move) == ("rollout", "held")


@pytest.mark.parametrize("verdict", [None, Outcome.NO_EVIDENCE, Outcome.INCONCLUSIVE])
def test_nothing_but_a_pass_goes_on(verdict: Outcome | None) -> None:
    given = wave(W.OBSERVING, U.OBSERVING, verdict=verdict)
    assert to(decide(seen(R.UPGRADING, given))) == ("rollout", "waiting_promotion")


def test_a_wave_of_which_every_gateway_was_left_out_passes_and_says_so() -> None:
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, U.SKIPPED, U.SKIPPED)))
    assert move is not None
    assert to(move) == ("wave", "passed")
    assert move.reason == "Every gateway of wave 1 was left out: nothing was done."


def test_failed_gateways_are_named_when_their_wave_passes() -> None:
    move = decide(seen(R.UPGRADING, wave(W.COMMITTING, U.DONE, U.FAILED), failures_max=1))
    assert move is not None
    assert move.reason.endswith("Except gw-12, which failed.")


def test_a_failed_gateway_that_its_mate_would_wait_for_without_end_calls_a_person() -> None:
    failed, mate = up(U.FAILED, 1, group="a"), up(U.PLANNED, 2, group="a")
    given = seen(R.UPGRADING, wave(W.UPGRADING, failed, mate, U.OBSERVING), failures_max=1)
    move = decide(given)
    assert move is not None
    assert to(move) == ("rollout", "held")
    assert "gw-2 of wave 1 can't begin" in move.reason
    assert "gw-1 has a full disk." in move.reason
    assert decide(replace(given, state=R.HELD)) is None, "it is held once"


@pytest.mark.parametrize("state", [U.UPGRADING, U.COMMITTING, U.ROLLING_BACK])
def test_while_something_is_at_work_nobody_is_called_for_a_failed_mate(state: U) -> None:
    failed, mate = up(U.FAILED, 1, group="a"), up(U.PLANNED, 2, group="a")
    assert decide(seen(R.UPGRADING, wave(W.UPGRADING, failed, mate, state), failures_max=1)) is None


def test_another_gateway_begins_while_a_failed_one_keeps_its_mate() -> None:
    gateways = up(U.FAILED, 1, group="a"), up(U.PLANNED, 2, group="a"), up(U.PLANNED, 3, group="b")
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, *gateways), failures_max=1))
    assert move is not None
    assert (move.to, move.ids) == (U.UPGRADING, (3,))


def test_the_end_of_the_window_itself_is_over() -> None:
    given = wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.PASS, observe_until=NOW)
    assert to(decide(seen(R.UPGRADING, given))) == ("wave", "committing")


def test_one_never_goes_back_onto_a_release_that_is_no_better() -> None:
    given = seen(R.UPGRADING, wave(W.OBSERVING, up(U.OBSERVING, 1, old_trouble=ILL), verdict=FAIL))
    move = decide(given)
    assert move is not None
    assert to(move) == ("rollout", "held")
    assert ILL in move.reason
    assert "a person decides" in move.reason
    assert decide(replace(given, state=R.HELD)) is None, "it is held once"


def test_where_the_old_release_is_well_it_goes_back_and_the_others_call_a_person() -> None:
    ill, well = up(U.OBSERVING, 1, old_trouble=ILL), up(U.OBSERVING, 2)
    move = decide(seen(R.UPGRADING, wave(W.OBSERVING, ill, well, verdict=FAIL)))
    assert move is not None
    assert (move.to, move.leave) == (R.ROLLING_BACK, (1,))
    end = decide(seen(R.ROLLING_BACK, wave(W.ROLLING_BACK, ill, replace(well, state=U.ROLLED_BACK))))
    assert end is not None
    assert end.to is R.FAILED
    assert end.reason.startswith("gw-1 stayed: the old release is no better there.")


def test_it_goes_back_after_all_when_the_old_release_is_well_again() -> None:
    given = wave(W.ROLLING_BACK, up(U.OBSERVING, 1), U.ROLLED_BACK)
    assert to(decide(seen(R.ROLLING_BACK, given))) == ("upgrade", "rolling_back")


def test_a_second_fail_while_it_goes_back_does_nothing() -> None:
    given = wave(W.ROLLING_BACK, U.ROLLING_BACK, U.ROLLING_BACK, verdict=FAIL)
    assert decide(seen(R.ROLLING_BACK, given)) is None


def test_what_a_later_rollout_has_taken_is_left_to_it() -> None:
    given = wave(W.ROLLING_BACK, up(U.DRAINING, 1, overtaken=True), U.ROLLED_BACK)
    assert to(decide(seen(R.ROLLING_BACK, given))) == ("wave", "rolled_back")


def test_a_gateway_whose_old_slot_is_gone_is_not_taken_back_by_the_way() -> None:
    given = wave(W.ROLLING_BACK, U.DONE, U.ROLLED_BACK)
    assert to(decide(seen(R.ROLLING_BACK, given))) == ("wave", "rolled_back")


def test_a_restore_that_failed_is_never_let_pass() -> None:
    given = wave(W.UPGRADING, up(U.FAILED, 1, failed_step="restore"), U.OBSERVING)
    move = decide(seen(R.UPGRADING, given, failures_max=5))
    assert move is not None
    assert move.reason.startswith("gw-1 could not be taken back")


def test_abort_and_roll_back_work_after_everything_was_promoted() -> None:
    assert R.DRAINING in ACTION_STATES["abort"]
    assert {R.DRAINING, R.DONE} <= ACTION_STATES["roll_back"]
