"""What a strategy says changes the next move: shares, windows, failures, bounds, blue-green."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.upgrader.seen import BEFORE, LATER, NOW, seen, to, up, wave
from upgrader.decide import RolloutSeen, decide, waits
from upgrader.states import Outcome, R, U, W

PASS, FAIL = Outcome.PASS, Outcome.FAIL
FROZEN = "eu-west is frozen until 18:00 UTC, by ola: sale."
two = wave(W.PLANNED, U.PLANNED, number=2)
passed = wave(W.PASSED, U.DONE)
quarter = wave(W.OBSERVING, U.OBSERVING, stages=2, verdict=PASS)
ready = wave(W.UPGRADING, U.READY, U.READY)
torn = wave(W.UPGRADING, up(U.FAILED, 1, failed_step="shift"), up(U.OBSERVING, 2))

CASES = [
    # observe_seconds 0
    (seen(R.UPGRADING, wave(W.UPGRADING, U.DRAINING, U.DONE)), ("wave", "passed")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.COMMITTING, U.DONE)), None),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, observe_seconds=0)), ("wave", "committing")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, observe_seconds=0, verdict=FAIL)), ("rollout", "rolling_back")),
    # shares by hand
    (seen(R.UPGRADING, quarter), ("wave", "upgrading")),
    (seen(R.UPGRADING, quarter, shares="hand"), ("rollout", "waiting_promotion")),
    (seen(R.WAITING_PROMOTION, quarter, shares="hand"), None),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=PASS), shares="hand"), ("wave", "committing")),
    # who lets the next wave start
    (seen(R.UPGRADING, passed, two), ("rollout", "waiting_promotion")),
    (seen(R.UPGRADING, passed, two, promoted_to=1), ("rollout", "waiting_promotion")),
    (seen(R.UPGRADING, passed, two, promoted_to=2), ("wave", "upgrading")),
    # nothing carries the release, so nothing speaks for it: a person says so, whoever promotes by the strategy
    (seen(R.UPGRADING, wave(W.PASSED, U.SKIPPED), two, promote="machine"), ("rollout", "waiting_promotion")),
    (seen(R.UPGRADING, wave(W.PASSED, U.SKIPPED), two, promoted_to=2), ("wave", "upgrading")),
    (seen(R.UPGRADING, wave(W.PASSED, U.SKIPPED, U.DRAINING), two, promote="machine"), ("wave", "upgrading")),
    # failures_max: equal is allowed, one more is not
    (seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED, U.OBSERVING)), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED, U.OBSERVING), failures_max=1), ("wave", "observing")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED, U.FAILED, U.OBSERVING), failures_max=1), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.FAILED, U.DRAINING), failures_max=1), ("wave", "passed")),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.FAILED, U.OBSERVING), failures_max=1), ("upgrade", "committing")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED, U.FAILED), failures_max=2), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.FAILED), failures_max=2), ("rollout", "held")),
    (seen(R.DRAINING, wave(W.PASSED, U.DONE, U.FAILED), failures_max=1), ("rollout", "held")),
    (seen(R.DRAINING, wave(W.PASSED, U.DONE, U.SKIPPED)), ("rollout", "done")),
    # blue-green
    (seen(R.UPGRADING, wave(W.UPGRADING, U.READY, U.UPGRADING), kind="blue_green"), None),
    (seen(R.UPGRADING, ready, kind="blue_green"), ("upgrade", "ready")),
    (seen(R.UPGRADING, wave(W.UPGRADING, up(U.READY, 1, shifting=True), U.OBSERVING), kind="blue_green"), None),
    (seen(R.UPGRADING, torn, kind="blue_green", failures_max=5), ("rollout", "rolling_back")),
    (seen(R.HELD, torn, kind="blue_green"), ("rollout", "rolling_back")),
    (seen(R.UPGRADING, torn, kind="canary", failures_max=5), ("wave", "observing")),
    # bounds
    (seen(R.UPGRADING, wave(W.PLANNED, U.PLANNED), blocked=FROZEN), None),
    (seen(R.UPGRADING, passed, two, promoted_to=2, blocked=FROZEN), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.UPGRADING, U.PLANNED), blocked=FROZEN), None),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.OBSERVING, U.PLANNED), blocked=FROZEN), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.OBSERVING), blocked=FROZEN), ("upgrade", "committing")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=PASS), blocked=FROZEN), ("wave", "committing")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, stages=2, verdict=PASS), blocked=FROZEN), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=FAIL), blocked=FROZEN), ("rollout", "rolling_back")),
    (seen(R.UPGRADING, ready, kind="blue_green", blocked=FROZEN), ("rollout", "held")),
    (seen(R.DRAINING, wave(W.PASSED, U.DONE), blocked=FROZEN), ("rollout", "done")),
]  # fmt: skip


@pytest.mark.parametrize(("given", "wanted"), CASES)
def test_next_move(given: RolloutSeen, wanted: tuple[str, str] | None) -> None:
    assert to(decide(given)) == wanted


def test_a_share_for_a_person_says_which() -> None:
    move = decide(seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, stages=3, verdict=PASS), shares="hand"))
    assert move is not None
    assert move.reason == "Wave 1 passed at share 1 of 3. The next waits for a person. 0 of 20 failed."


def test_too_many_failures_name_all_and_quote_one() -> None:
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED, U.FAILED), failures_max=1))
    assert move is not None
    assert move.reason == "2 gateways failed, 1 may: gw-11 and gw-12. gw-11 has a full disk."


@pytest.mark.parametrize(("most", "wanted"), [(0, "held"), (1, "upgrading")])
def test_a_silent_gateway_counts_before_something_new_begins(most: int, wanted: str) -> None:
    given = wave(W.UPGRADING, up(U.OBSERVING, 1, silent=True), up(U.PLANNED, 2))
    move = decide(seen(R.UPGRADING, given, failures_max=most))
    assert move is not None
    assert move.to == wanted
    if not most:
        assert move.reason.startswith("No answer lately from gw-1. By the strategy none may fail")


def test_silence_alone_is_the_verdicts_matter_when_nothing_new_begins() -> None:
    watched = wave(W.OBSERVING, up(U.OBSERVING, 1, silent=True), observe_until=LATER)
    assert decide(seen(R.UPGRADING, watched)) is None


def test_what_waits_for_a_freeze_says_so_and_what_runs_does_not() -> None:
    assert waits(seen(R.UPGRADING, wave(W.PLANNED, U.PLANNED), blocked=FROZEN)) == FROZEN
    assert waits(seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING), blocked=FROZEN)) == ""
    assert waits(seen(R.HELD, wave(W.PLANNED, U.PLANNED), blocked=FROZEN)) == ""


def test_a_gateway_of_another_rollout_is_waited_for_and_the_others_begin() -> None:
    busy, free = up(U.PLANNED, 1, taken=True), up(U.PLANNED, 2)
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, busy, free)))
    assert move is not None
    assert move.ids == (2,)
    alone = seen(R.UPGRADING, wave(W.UPGRADING, busy))
    assert decide(alone) is None
    assert waits(alone) == "Another rollout works on gw-1. This one goes on there after that."


def test_as_many_begin_as_there_is_room_and_never_two_of_a_group() -> None:
    group = [up(U.PLANNED, n, group="fra" if n < 3 else "") for n in range(1, 6)]
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, *group), at_once=3))
    assert move is not None
    assert move.ids == (1, 3, 4)
    mate = [replace(group[0], state=U.UPGRADING), group[1]]
    assert decide(seen(R.UPGRADING, wave(W.UPGRADING, *mate), at_once=3)) is None


def test_a_fail_takes_back_the_wave_or_every_wave_that_was_touched() -> None:
    waves = [passed, wave(W.OBSERVING, U.OBSERVING, number=2, verdict=FAIL), wave(W.PLANNED, U.PLANNED, number=3)]
    one, all_of_them = (decide(seen(R.UPGRADING, *waves, on_fail=how)) for how in ("wave", "rollout"))
    assert one is not None
    assert all_of_them is not None
    assert (one.waves, all_of_them.waves) == ((2,), (1, 2))


def test_who_left_before_his_turn_is_left_out_with_the_reason() -> None:
    gone = up(U.PLANNED, 1, gone="gw-1 left the pool eu-west before its turn.")
    move = decide(seen(R.UPGRADING, wave(W.UPGRADING, gone, U.OBSERVING)))
    assert move is not None
    assert (move.ids, move.to, move.reason) == ((1,), U.SKIPPED, gone.gone)


def test_a_latecomer_has_a_window_of_its_own() -> None:
    late = up(U.OBSERVING, 1, since=NOW)
    given = wave(W.PASSED, late, U.DONE, observe_seconds=20, verdict=PASS)
    assert decide(seen(R.DRAINING, given)) is None
    over = seen(R.DRAINING, replace(given, observe_seconds=0))
    assert to(decide(over)) == ("upgrade", "committing")
    failed = decide(seen(R.DRAINING, replace(given, verdict=FAIL)))
    assert failed is not None
    assert (failed.ids, failed.to) == ((1,), U.ROLLING_BACK)


def test_on_hold_a_latecomer_that_fails_is_taken_back_and_one_that_passes_waits() -> None:
    late = up(U.OBSERVING, 1, since=BEFORE)
    given = wave(W.PASSED, late, U.DRAINING, observe_seconds=0, verdict=FAIL)
    assert to(decide(seen(R.HELD, given))) == ("upgrade", "rolling_back")
    assert decide(seen(R.HELD, replace(given, verdict=PASS))) is None
    assert decide(seen(R.HELD, replace(given, upgrades=(replace(late, old_trouble="It is ill."),)))) is None
