"""Sizes of both slots at the same time: taken twice a minute, of enough users, from one process."""

from __future__ import annotations

from typing import Any

from tests.unit.upgrader.test_tally import NEW, OLD, look, told
from upgrader.sides import summed
from upgrader.steps.felt import EVERY, felt, minutes
from upgrader.steps.job import SampleOf

FELT: dict[str, Any] = {
    "sessions": 10,
    "rtt_ms": 20.0,
    "rss_bytes": 120_000_000,
    "door_ms": 5.0,
    "auth_seconds": 1.0,
    "reconnects": 3,
}


def at(seconds: float, slot: int = NEW, **values: Any) -> SampleOf:
    """What grows does so by the second: 1 % of a core a user, a packet in a hundred sent again."""
    counts = {"cpu_seconds": 0.1 * seconds, "segments": int(100 * seconds), "retransmitted": int(seconds)}
    return look(slot, at=1000.0 + seconds, **(FELT | counts | values))


def looks(until: int, **new: Any) -> dict[int, dict[str, float]]:
    kept: dict[str, Any] = {}
    found: dict[int, dict[str, float]] = {}
    for seconds in range(0, until + 1, 5):
        kept, told = felt(kept, [at(seconds, **new), at(seconds, OLD)])
        found = told or found
    return found


def test_both_slots_are_felt_once_an_interval() -> None:
    assert looks(25) == {}
    found = looks(30)
    assert found.keys() == {NEW, OLD}
    sizes = {name: round(value, 4) for name, value in found[NEW].items()}
    assert sizes == {
        "door_time": 5.0,
        "auth_time": 1.0,
        "rtt": 20.0,
        "memory": 10_000_000.0,
        "cpu": 0.01,
        "retransmissions": 0.0102,
    }


def test_of_few_users_only_the_door_is_told() -> None:
    assert looks(30, sessions=4)[NEW].keys() == {"door_time", "auth_time"}


def test_of_little_traffic_no_share_is_told() -> None:
    assert "retransmissions" not in looks(30, segments=100, retransmitted=50)[NEW]


def test_what_is_not_known_is_left_out() -> None:
    assert looks(30, rtt_ms=None, segments=None, retransmitted=None)[NEW].keys() == {
        "door_time",
        "auth_time",
        "memory",
        "cpu",
    }


def test_another_process_begins_anew() -> None:
    kept: dict[str, Any] = {}
    for seconds in range(0, 30, 5):
        kept, _ = felt(kept, [at(seconds), at(seconds, OLD)])
    kept, told = felt(kept, [at(30, cpu_seconds=0.0, up_since=1030.0), at(30, OLD)])
    assert told == {}
    assert felt(kept, [at(55, up_since=1030.0), at(55, OLD)])[1] == {}


def test_the_same_answer_again_adds_nothing() -> None:
    kept, _ = felt({}, [at(0), at(0, OLD)])
    kept, _ = felt(kept, [at(5), at(5, OLD)])
    assert felt(kept, [at(5, rtt_ms=900.0), at(5, OLD)])[0] == kept


def test_a_sample_of_an_older_version_is_left_alone() -> None:
    assert felt({}, [look(NEW), look(OLD)]) == ({}, {})


def test_reconnects_are_held_against_minutes_of_users() -> None:
    kept, _ = felt({}, [at(0)])
    assert minutes(kept, at(30, reconnects=5)) == (5.0, 2)
    assert minutes(kept, at(30, reconnects=1)) == (5.0, 1), "it began anew"
    assert minutes(kept, at(30, reconnects=None)) is None
    assert minutes({}, at(30)) is None


def test_the_tally_keeps_pairs_and_rates_of_them() -> None:
    tally = told(*((at(s, rtt_ms=60.0, reconnects=s), at(s, OLD)) for s in range(0, 4 * int(EVERY) + 1, 5)))
    found = summed([tally], new="n", old="o")
    pair = found.times["rtt"][0]
    assert (pair.canary.n, round(2.718281828 ** (pair.canary.mean - pair.control.mean), 3)) == (4, 3.0)
    assert found.times["auth_time"][0].canary.n == 1, "ocserv told the same mean all the time"
    again = found.rates["reconnects"]
    assert (round(again.canary.tried), again.canary.failed, again.control.failed) == (20, 120, 0)
