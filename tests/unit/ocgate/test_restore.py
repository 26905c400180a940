"""Going back is safe to ask again, wherever the time before was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.ocgate import nft, restore, supervise, table
from fleet.ocgate import state as states
from fleet.ocgate.call import Call
from fleet.ocgate.paths import Paths
from fleet.ocgate.state import Place
from tests.unit.ocgate.killed import Killed, killed_after
from tests.unit.ocgate.values import config, paths

OLD, NEW = Place(1, "1.1.6-3"), Place(2, "1.3.0-2")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A gateway that committed NEW in slot 2; OLD still runs in slot 1."""
    place = paths(tmp_path)
    with states.changing(place) as state:
        state.committed, state.previous, state.steady = NEW, OLD, {2: 100}
        state.slots = {1: states.SlotState(OLD.release), 2: states.SlotState(NEW.release)}
    process = supervise.Process(pid=7, restarts=0, since=0.0, failed=False)
    monkeypatch.setattr(supervise, "look", lambda *_: process)
    monkeypatch.setattr(table, "read", lambda: table.Seen(present=True, trial_left=0.0, learnt=nft.Learnt()))
    monkeypatch.setattr(table, "apply", lambda _: 1.0)
    monkeypatch.setattr(restore, "forget_strangers", lambda *_: 0)
    return place


def back(place: Paths) -> dict[str, Any]:
    return restore.restore(Call(place, config(), {"to": "previous"}, 1, lambda _: None))


def test_asking_again_finds_it_done(here: Paths) -> None:
    assert [back(here)["already"] for _ in range(3)] == [False, True, True]
    state = states.load(here)
    assert (state.committed, state.previous, state.restored, state.steady) == (OLD, None, True, {1: 100})


@pytest.mark.parametrize("writes", range(4))
def test_a_kill_at_any_write_does_not_let_it_swing_forward(
    here: Paths, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_after(writes, monkeypatch):
        try:
            back(here)
        except Killed:
            assert states.load(here).restored == (states.load(here).committed == OLD)
    assert [back(here)["slot"] for _ in range(2)] == [1, 1]
    assert states.load(here).committed == OLD


def test_with_a_configuration_it_is_marked_too(here: Paths) -> None:
    with states.changing(here) as state:
        state.committed = state.previous = OLD
        state.steady = {1: 100}
    assert [back(here)["already"] for _ in range(2)] == [False, True]
    assert states.load(here).restored
