"""A shift that waits: at its moment, or given way to what steered meanwhile."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from fleet.ocgate import steer, turns
from fleet.ocgate.call import Call
from fleet.ocgate.errors import Refused
from tests.unit.ocgate.values import config, paths


def test_who_waits_goes_on_at_his_moment(tmp_path: Path) -> None:
    moment = time.monotonic() + 0.3
    mine = turns.wait(paths(tmp_path), moment=moment)
    assert time.monotonic() >= moment
    turns.refuse_lost(paths(tmp_path), mine)


def test_who_comes_later_takes_the_turn(tmp_path: Path) -> None:
    mine = turns.take(paths(tmp_path))
    turns.take(paths(tmp_path))
    with pytest.raises(Refused) as refusal:
        turns.refuse_lost(paths(tmp_path), mine)
    assert refusal.value.code == "superseded"


def test_a_wait_ends_with_its_turn(tmp_path: Path) -> None:
    where = paths(tmp_path)
    later = threading.Timer(0.1, turns.take, [where])
    later.start()
    args = {"weights": {1: 100}, "seconds": 60, "after_ms": 30_000}
    call = Call(paths=where, config=config(), args=args, fence=1, send=lambda _line: None)
    with pytest.raises(Refused) as refusal:
        steer.shift(call)
    later.join()
    assert refusal.value.code == "superseded"
    assert not where.state.exists(), "a shift that was cancelled writes nothing"
