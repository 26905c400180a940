"""Snapshots for the tests of decide, in one line each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from upgrader.decide import Move, RolloutSeen, UpgradeSeen, WaveSeen
from upgrader.states import R, U, W

NOW = datetime(2026, 11, 23, 3, 6, tzinfo=UTC)
BEFORE, LATER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=5)


def up(state: U, number: int = 1, **more: Any) -> UpgradeSeen:
    return UpgradeSeen(number, f"gw-{number}", state, **{"reason": f"gw-{number} has a full disk.", **more})


def wave(state: W, *upgrades: U | UpgradeSeen, **more: Any) -> WaveSeen:
    """Upgrades given as states alone are gw-11, gw-12, … of wave 1; its window is over."""
    number = more.get("number", 1)
    full = [one if isinstance(one, UpgradeSeen) else up(one, number * 10 + n) for n, one in enumerate(upgrades, 1)]
    about: dict[str, Any] = {"id": number, "number": number, "stage": 0, "stages": 1, "observe_until": BEFORE}
    return WaveSeen(
        state=state, upgrades=tuple(full), **{**about, "since": BEFORE, "verdict_reason": "0 of 20 failed.", **more}
    )


def seen(state: R, *waves: WaveSeen, **more: Any) -> RolloutSeen:
    about: dict[str, Any] = {"release": "1.3.0-2", "promote": "hand", "at_once": 2, "waves": waves, "now": NOW}
    return RolloutSeen(state, **{**about, **more})


def to(move: Move | None) -> tuple[str, str] | None:
    return (move.what, str(move.to)) if move else None
