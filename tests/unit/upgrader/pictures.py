"""Rollouts as values, for the tests of what pages say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from upgrader.picture import GatewayRow, Picture, WaveRow
from upgrader.states import ACTION_STATES, R, U, W

NOW = datetime(2026, 11, 23, 14, 8, tzinfo=UTC)


def row(number: int, state: U = U.PLANNED, **columns: Any) -> GatewayRow:
    said: dict[str, Any] = {"from_release": "1.1.6-2", "to_release": "1.3.0-2", "sessions": 10} | columns
    return GatewayRow(id=number, gateway_id=number, name=f"gw-{number}", state=state, since=NOW, **said)


def wave(number: int, state: W = W.PLANNED, *rows: GatewayRow, **columns: Any) -> WaveRow:
    said: dict[str, Any] = {"weights": (25, 100), "stage": 0, "planned_sessions": 10 * len(rows)} | columns
    return WaveRow(id=number, number=number, title="", state=state, since=NOW, gateways=rows, **said)


def picture(state: R, *waves: WaveRow, **columns: Any) -> Picture:
    said: dict[str, Any] = {
        **{"reason": "Because.", "product": "ocserv", "release": "1.3.0-2", "release_id": 1, "own": False},
        **{"from_releases": ("1.1.6-2",), "pool": "eu-west", "strategy": "Canary", "created_by": "operator"},
        **{"created_at": NOW - timedelta(hours=1), "may": frozenset(ACTION_STATES), "digest": "0" * 64},
    }
    waves = waves or (wave(1, W.PLANNED, row(1)), wave(2, W.PLANNED, row(2), row(3)))
    return Picture(id=12, state=state, version=3, since=NOW, waves=waves, **(said | columns))


def observing(**columns: Any) -> Picture:
    until = NOW + timedelta(minutes=6, seconds=12)
    first = wave(1, W.OBSERVING, row(1, U.OBSERVING), observe_until=until, stage=1)
    return picture(R.UPGRADING, first, wave(2, W.PLANNED, row(2), row(3)), **columns)
