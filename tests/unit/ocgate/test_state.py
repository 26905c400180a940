"""What is remembered, the fence, and the locks."""

from __future__ import annotations

import errno
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
        now.replaced = state.Replaced(2, state.Place(1, "1.1.6-3"), until=60.5, boot="boot")
        now.messages[1] = "Sign in again"
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


def test_a_fence_can_not_leap_to_where_nobody_follows(tmp_path: Path) -> None:
    where = paths(tmp_path)
    state.admit(where, state.FENCE_STEP)
    for fence in (2 * state.FENCE_STEP + 1, 1_800_000_000, 2**53):
        with pytest.raises(Refused) as refusal:
            state.admit(where, fence)
        assert refusal.value.code == "fence_too_high"
    state.admit(where, 2 * state.FENCE_STEP)
    assert state.load(where).fence == 2 * state.FENCE_STEP


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


class FullOnce:
    """A disk without room until the spare room was given back."""

    def __init__(self, spare: Path) -> None:
        self.spare, self.whole = spare, state.write_whole

    def __call__(self, path: Path, text: str, *, mode: int = 0o600, owner: object = None) -> None:
        if self.spare.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        self.whole(path, text, mode=mode)


def test_a_full_disk_does_not_keep_the_state_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = paths(tmp_path)
    state.admit(where, 5)
    state.keep_spare(where)
    assert where.spare.stat().st_size == state.SPARE
    monkeypatch.setattr(state, "write_whole", FullOnce(where.spare))
    state.admit(where, 6)
    assert state.load(where).fence == 6
    assert not where.spare.exists()


def test_without_spare_room_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = paths(tmp_path)
    state.admit(where, 5)

    def full(path: Path, text: str, *, mode: int = 0o600, owner: object = None) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        state.admit(where, 6)
    assert state.load(where).fence == 5


def test_room_is_set_aside_only_where_there_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = paths(tmp_path)
    where.lib.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(state, "SPARE_LEAVES", 1 << 60)
    state.keep_spare(where)
    assert not where.spare.exists()
