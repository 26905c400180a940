"""What is remembered, the fence, and the locks."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.ocgate import locks, state
from fleet.ocgate.errors import Refused, Retry
from tests.unit.ocgate.values import paths


def test_what_was_written_is_read(tmp_path: Path) -> None:
    where = paths(tmp_path)
    with state.changing(where) as now:
        now.committed, now.steady = state.Place(1, "1.1.6-3"), {1: 100}
        now.trial = state.Trial({1: 75, 2: 25}, 17.5, "boot")
        now.slots[2] = state.SlotState("1.3.0-2", since=3.5, steered=True, distrusted=True)
        now.adopted = state.Adopted(
            1, 7, "/usr/sbin/ocserv", "/usr/bin/occtl", "/run/occtl.socket", "o.service", "1.1.6"
        )
        written = now
    assert state.load(where) == written


def test_a_fence_only_grows(tmp_path: Path) -> None:
    where = paths(tmp_path)
    state.admit(where, 5)
    state.admit(where, 5)
    with pytest.raises(Refused) as refusal:
        state.admit(where, 4)
    assert refusal.value.code == "fence_too_low"
    assert state.load(where).fence == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fence":"x"}', '{"fence":1,"slots":{"1":{"rel":"x"}}}'])
def test_a_state_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    where = paths(tmp_path)
    where.lib.mkdir()
    where.state.write_text(text)
    with pytest.raises(Refused) as refusal:
        state.load(where)
    assert refusal.value.code == "state_bad"


def test_a_failing_change_is_not_written(tmp_path: Path) -> None:
    where = paths(tmp_path)
    state.admit(where, 5)
    with pytest.raises(ZeroDivisionError), state.changing(where) as now:
        now.fence = 1 // 0
    assert state.load(where).fence == 5


def test_a_lock_that_is_held_is_busy_and_others_are_free(tmp_path: Path) -> None:
    with locks.held(tmp_path, "stage-x", wait=0):
        assert locks.is_held(tmp_path, "stage-x")
        with pytest.raises(Retry) as busy, locks.held(tmp_path, "stage-x", wait=0):
            pass
        assert busy.value.code == "busy"
        with locks.held(tmp_path, "steer", wait=0):
            pass
    assert not locks.is_held(tmp_path, "stage-x")
    assert not locks.is_held(tmp_path, "never")
