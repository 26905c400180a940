"""Lanes: what is urgent never waits for what is long, nothing runs twice at once, groups take turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from upgrader.lanes import Lane

WITHIN = 20.0  # seconds; only a failing test waits that long


class Gate:
    """Jobs that wait here until the test lets them go on."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Semaphore(0)

    def __call__(self) -> None:
        self.reached.release()
        assert self.open.wait(WITHIN)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open.set()


def done(lane: Lane, key: str) -> None:
    """Put a job and wait for its end."""
    ended = threading.Event()
    lane.put(key, ended.set)
    assert ended.wait(WITHIN)


def test_urgent_work_passes_long_work_that_takes_all_threads(gate: Gate) -> None:
    work, urgent = Lane("work", 4), Lane("urgent", 1)
    for number in range(20):
        work.put(number, gate)
    for _ in range(4):
        assert gate.reached.acquire(timeout=WITHIN)
    done(urgent, "restore")
    assert work.at_work() == 4


def test_a_key_that_waits_or_runs_is_not_taken_twice(gate: Gate) -> None:
    lane = Lane("work", 1)
    assert lane.put("a", gate)
    assert gate.reached.acquire(timeout=WITHIN)
    assert not lane.put("a", gate)
    gate.open.set()
    done(lane, "b")
    assert lane.put("a", lambda: None)


def test_whoever_asks_again_meanwhile_is_answered_once_more(gate: Gate) -> None:
    lane = Lane("engine", 1)
    lane.put("rollout", gate, again=True)
    assert gate.reached.acquire(timeout=WITHIN)
    for _ in range(5):
        lane.put("rollout", gate, again=True)
    gate.open.set()
    assert gate.reached.acquire(timeout=WITHIN)
    done(lane, "other")
    assert not gate.reached.acquire(blocking=False)


def test_groups_take_turns(gate: Gate) -> None:
    lane, order = Lane("work", 1), list[str]()
    lane.put("first", gate, group="big")
    assert gate.reached.acquire(timeout=WITHIN)
    ended = threading.Event()
    for number in range(3):
        lane.put(f"big {number}", lambda: order.append("big"), group="big")
    lane.put("small", lambda: order.append("small"), group="small")
    lane.put("last", ended.set, group="small")
    gate.open.set()
    assert ended.wait(WITHIN)
    assert order[:2] == ["big", "small"]


def test_a_job_that_fails_takes_no_thread_with_it(caplog: pytest.LogCaptureFixture) -> None:
    lane = Lane("work", 1)
    lane.put("broken", lambda: [][0])
    done(lane, "next")
    assert "broken" in caplog.text


def test_a_lane_that_stops_begins_nothing(gate: Gate) -> None:
    lane, begun = Lane("work", 1), threading.Event()
    lane.put("a", gate)
    assert gate.reached.acquire(timeout=WITHIN)
    lane.put("b", begun.set)
    lane.stop()
    assert not lane.put("c", begun.set)
    gate.open.set()
    assert not begun.wait(0.2)
