"""Two pools: the new side opens first, the old one closes after it, and never is nobody open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.upgrader.seen import NOW, seen, to, up, wave
from upgrader.decide import Move, RolloutSeen, UpgradeSeen, decide
from upgrader.states import Outcome, R, U, W

FROZEN = "The pool is frozen."


def coming(state: U, number: int = 1, **more: Any) -> UpgradeSeen:
    return up(state, number, **more)


def leaving(state: U, number: int = 3, **more: Any) -> UpgradeSeen:
    return up(state, number, outgoing=True, **more)


def at(state: W, *upgrades: UpgradeSeen, rollout: R = R.UPGRADING, blocked: str = "", **more: Any) -> RolloutSeen:
    about: dict[str, Any] = {"kind": "blue_green", "between": "blue to green", "on_fail": "rollout"}
    return seen(rollout, wave(state, *upgrades, **more), blocked=blocked, **about)


def ids(move: Move | None) -> tuple[int, ...]:
    assert move is not None
    return move.ids


def test_nobody_shifts_before_the_last_of_both_sides_is_ready() -> None:
    assert decide(at(W.UPGRADING, coming(U.READY, 1), coming(U.UPGRADING, 2), leaving(U.READY))) is None
    assert decide(at(W.UPGRADING, coming(U.READY, 1), leaving(U.UPGRADING))) is None


def test_the_new_side_opens_before_the_old_one_closes() -> None:
    opens = decide(at(W.UPGRADING, coming(U.READY, 1), coming(U.READY, 2), leaving(U.READY)))
    assert (to(opens), ids(opens)) == (("upgrade", "ready"), (1, 2))
    assert decide(at(W.UPGRADING, coming(U.OBSERVING, 1), coming(U.READY, 2, shifting=True), leaving(U.READY))) is None
    closes = decide(at(W.UPGRADING, coming(U.OBSERVING, 1), coming(U.OBSERVING, 2), leaving(U.READY)))
    assert (to(closes), ids(closes)) == (("upgrade", "ready"), (3,))


def test_a_freeze_keeps_both_sides_and_never_stops_half_way() -> None:
    assert to(decide(at(W.UPGRADING, coming(U.READY), leaving(U.READY), blocked=FROZEN))) == ("rollout", "held")
    half = at(W.UPGRADING, coming(U.OBSERVING), leaving(U.READY), blocked=FROZEN)
    assert to(decide(half)) == ("upgrade", "ready")


@pytest.mark.parametrize("state", [U.SKIPPED, U.ROLLED_BACK])
def test_where_nobody_brings_the_release_the_old_side_stays_open(state: U) -> None:
    move = decide(at(W.UPGRADING, coming(state), leaving(U.READY)))
    assert move is not None
    assert to(move) == ("rollout", "held")
    assert "keep their new users" in move.reason


def test_the_new_side_is_committed_before_the_old_one() -> None:
    first = decide(at(W.COMMITTING, coming(U.OBSERVING, 1), leaving(U.OBSERVING), since=NOW))
    assert (to(first), ids(first)) == (("upgrade", "committing"), (1,))
    assert decide(at(W.COMMITTING, coming(U.COMMITTING, 1), leaving(U.OBSERVING), since=NOW)) is None
    then = decide(at(W.COMMITTING, coming(U.DONE, 1), leaving(U.OBSERVING), since=NOW))
    assert ids(then) == (3,)


def test_one_that_does_not_open_sends_all_back() -> None:
    refused = coming(U.FAILED, 2, failed_step="shift")
    move = decide(at(W.UPGRADING, coming(U.OBSERVING, 1), refused, leaving(U.READY)))
    assert to(move) == ("rollout", "rolling_back")


def test_a_fail_never_leads_back_to_a_pool_that_is_no_better() -> None:
    ill = leaving(U.OBSERVING, old_trouble="Logins on gw-3 fail.")
    window: dict[str, Any] = {
        "observe_until": NOW + timedelta(seconds=9),
        "verdict": Outcome.FAIL,
        "verdict_reason": "9 of 9 failed.",
    }
    move = decide(at(W.OBSERVING, coming(U.OBSERVING), ill, **window))
    assert move is not None
    assert to(move) == ("rollout", "held")
    assert "Logins on gw-3 fail." in move.reason
    well = leaving(U.OBSERVING, 4)
    move = decide(at(W.OBSERVING, coming(U.OBSERVING), ill, well, **window))
    assert move is not None
    assert (to(move), move.leave) == (("rollout", "rolling_back"), (3,))


def test_its_words_name_both_pools() -> None:
    over = decide(at(W.PASSED, coming(U.DONE), leaving(U.DRAINING)))
    assert over is not None
    assert over.reason == "All new users go from blue to green; who is on the former stays there."
    done = decide(at(W.PASSED, coming(U.DONE), leaving(U.DONE), rollout=R.DRAINING))
    assert done is not None
    assert done.reason == "All new users went from blue to green, and the former stands idle as it was."
