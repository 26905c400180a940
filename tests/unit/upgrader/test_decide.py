"""The machine's next move, over every state."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from upgrader.decide import Move, RolloutSeen, UpgradeSeen, WaveSeen, decide
from upgrader.states import ROLLOUT_MOVES, UPGRADE_MOVES, WAVE_MOVES, Outcome, R, U, W

NOW = datetime(2026, 11, 23, 3, 6, tzinfo=UTC)


def wave(state: W, *upgrades: U, number: int = 1, verdict: Outcome | None = None, over: bool = True) -> WaveSeen:
    return WaveSeen(
        id=number,
        number=number,
        state=state,
        stage=0,
        stages=1,
        upgrades=tuple(UpgradeSeen(number * 10 + n, f"gw-{n}", u, "disk full") for n, u in enumerate(upgrades)),
        observe_until=NOW - timedelta(seconds=1) if over else NOW + timedelta(seconds=5),
        verdict=verdict,
        verdict_reason="9 of 20 failed",
    )


def seen(state: R, *waves: WaveSeen, promote: str = "hand", at_once: int = 2) -> RolloutSeen:
    return RolloutSeen(state, "1.3.0-2", "hand" if promote == "hand" else "machine", at_once, waves, NOW)


def to(move: Move | None) -> tuple[str, str] | None:
    return (move.what, str(move.to)) if move else None


CASES = [
    (seen(R.UPGRADING, wave(W.PLANNED, U.PLANNED)), ("wave", "upgrading")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.PLANNED, U.PLANNED)), ("upgrade", "upgrading")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.UPGRADING, U.PLANNED), at_once=1), None),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.OBSERVING, U.OBSERVING)), ("wave", "observing")),
    (seen(R.UPGRADING, wave(W.UPGRADING, U.FAILED)), ("rollout", "held")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.PASS, over=False)), None),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.PASS)), ("wave", "committing")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.FAIL, over=False)), ("rollout", "rolling_back")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.NO_EVIDENCE)), ("rollout", "waiting_promotion")),
    (seen(R.UPGRADING, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.INCONCLUSIVE)), ("rollout", "waiting_promotion")),
    (seen(R.WAITING_PROMOTION, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.PASS)), ("rollout", "upgrading")),
    (seen(R.HELD, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.FAIL)), ("rollout", "rolling_back")),
    (seen(R.HELD, wave(W.OBSERVING, U.OBSERVING, verdict=Outcome.PASS)), None),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.OBSERVING)), ("upgrade", "committing")),
    (seen(R.UPGRADING, wave(W.COMMITTING, U.DRAINING, U.DONE)), ("wave", "passed")),
    (seen(R.UPGRADING, wave(W.PASSED, U.DONE), wave(W.PLANNED, U.PLANNED, number=2)), ("rollout", "waiting_promotion")),
    (
        seen(R.UPGRADING, wave(W.PASSED, U.DONE), wave(W.PLANNED, U.PLANNED, number=2), promote="machine"),
        ("wave", "upgrading"),
    ),
    (seen(R.UPGRADING, wave(W.PASSED, U.DRAINING)), ("rollout", "draining")),
    (seen(R.DRAINING, wave(W.PASSED, U.DRAINING)), None),
    (seen(R.DRAINING, wave(W.PASSED, U.DONE)), ("rollout", "done")),
    (seen(R.ROLLING_BACK, wave(W.ROLLING_BACK, U.DRAINING)), ("upgrade", "rolling_back")),
    (seen(R.ROLLING_BACK, wave(W.ROLLING_BACK, U.ROLLED_BACK, U.PLANNED)), ("wave", "rolled_back")),
    (seen(R.ROLLING_BACK, wave(W.ROLLED_BACK, U.ROLLED_BACK)), ("rollout", "rolled_back")),
]


@pytest.mark.parametrize(("given", "wanted"), CASES)
def test_next_move(given: RolloutSeen, wanted: tuple[str, str] | None) -> None:
    assert to(decide(given)) == wanted


@pytest.mark.parametrize(
    ("answer", "state"), [("approved", "upgrading"), ("rejected", "rejected"), ("expired", "planned")]
)
def test_an_answer_moves_what_waits_for_it(answer: str, state: str) -> None:
    asked = replace(seen(R.WAITING_APPROVAL, wave(W.PLANNED, U.PLANNED)), answer=answer)
    assert to(decide(asked)) == ("rollout", state)


def test_a_restore_that_was_refused_needs_a_person() -> None:
    broken = wave(W.ROLLING_BACK, U.FAILED)
    broken = replace(broken, upgrades=(replace(broken.upgrades[0], failed_step="restore"),))
    assert to(decide(seen(R.ROLLING_BACK, broken))) == ("rollout", "failed")


def test_a_partial_rollback_says_who_stays() -> None:
    move = decide(seen(R.ROLLING_BACK, wave(W.PASSED, U.DONE), wave(W.ROLLED_BACK, U.ROLLED_BACK, number=2)))
    assert move is not None
    assert "1 gateway of earlier waves stays on 1.3.0-2" in move.reason


def everything() -> list[RolloutSeen]:
    waves = [
        wave(w, a, b, verdict=verdict, over=over)
        for w, a, b, verdict, over in itertools.product(W, U, U, [None, *Outcome], [True, False])
    ]
    return [seen(r, w) for r, w in itertools.product(R, waves)]


def test_no_snapshot_leads_to_an_illegal_move() -> None:
    for given in everything():
        move = decide(given)
        if move is None:
            continue
        first = given.waves[0]
        states = {unit.id: unit.state for unit in first.upgrades}
        match move.what:
            case "rollout":
                assert move.to in ROLLOUT_MOVES[given.state], (given, move)
            case "wave":
                assert move.to in WAVE_MOVES[first.state], (given, move)
            case _:
                assert all(move.to in UPGRADE_MOVES[states[pk]] for pk in move.ids), (given, move)


def test_every_move_carries_a_sentence() -> None:
    assert all(move.reason for given in everything() if (move := decide(given)))
