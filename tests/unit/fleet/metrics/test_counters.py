"""No reset, restart, gap or late beginning makes a spike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from fleet.measured import SlotMetrics
from fleet.metrics import counters

SAID: dict[str, Any] = {
    **{"slot": 1, "release": "1.3.0-2", "version": "1.3.0", "sessions": 40, "logins": 500, "auth_failures": 7},
    **{"session_errors": 3, "cpu_seconds": 900.0, "rss_bytes": 1, "open_files": 9, "restarts": 0, "up_since": 1000.0},
    **{"arrivals": 480, "reconnects": 11, "departures": 440, "segments": 10_000, "retransmitted": 12},
}
SLOT = SlotMetrics(**SAID)


def step(before: SlotMetrics | None, **now: Any) -> dict[str, Any]:
    return counters.reading(replace(before or SLOT, **now), counters.kept(before) if before else None)


def test_the_first_look_counts_nothing() -> None:
    row = step(None)
    assert {row[column] for column in counters.COUNTED} == {None}
    assert row["sessions"] == 40


def test_what_grew_is_what_happened() -> None:
    row = step(SLOT, auth_failures=9, arrivals=483, cpu_seconds=900.5)
    assert (row["failures"], row["arrivals"], row["cpu_seconds"], row["logins"]) == (2, 3, 0.5, 0)


def test_a_counter_that_fell_began_anew() -> None:
    assert step(SLOT, auth_failures=2)["failures"] == 2


def test_another_release_in_the_slot_begins_anew_whatever_it_counts() -> None:
    assert step(SLOT, release="1.5.0-1", auth_failures=9, up_since=2000.0)["failures"] == 9


def test_the_cpu_of_a_restarted_process_is_its_own() -> None:
    assert step(SLOT, cpu_seconds=901.0, up_since=5000.0)["cpu_seconds"] == 901.0
    assert step(SLOT, cpu_seconds=901.0, up_since=1001.0)["cpu_seconds"] == 1.0


def test_what_a_newer_ocgate_begins_to_count_is_no_event() -> None:
    old = replace(SLOT, arrivals=None, crashes=None)
    row = step(old, arrivals=900, crashes=4)
    assert (row["arrivals"], row["crashes"]) == (None, None)


def test_without_a_log_nothing_is_said_of_failures() -> None:
    row = step(SLOT, logged=False, auth_failures=0, logins=0)
    assert {row[column] for column in counters.LOGGED} == {None}
    assert row["arrivals"] == 0


@given(some.lists(some.tuples(some.integers(0, 50), some.booleans()), max_size=40))
def test_the_sum_of_readings_is_what_happened(steps: list[tuple[int, bool]]) -> None:
    """Whatever grows and falls back to nothing: no event is lost or told twice, but those before a reset's look."""
    before, total, told = SLOT, 0, 0
    for events, reset in steps:
        count = events if reset else before.auth_failures + events
        # A reset that ends above the old count can't be seen in a count alone: the restart says it.
        release = f"{before.release}'" if reset and count >= before.auth_failures else before.release
        now = replace(before, auth_failures=count, release=release)
        told += counters.reading(now, counters.kept(before))["failures"] or 0
        total, before = total + events, now
    assert told == total


def test_a_slot_is_used_by_who_is_there_comes_or_tries() -> None:
    nobody = replace(SLOT, sessions=0)
    row = counters.reading(nobody, counters.kept(nobody))
    assert not counters.is_used(nobody, row)
    assert counters.is_used(SLOT, row)
    assert counters.is_used(nobody, {**row, "failures": 1})
