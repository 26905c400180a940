"""Rounds do the same on both sides; what is worse on the new one is caught by its own cell."""

from __future__ import annotations

from typing import Any

import pytest

from releases.matrix.ports import Outcome, Unfit
from releases.matrix.stress import Load, Samples, Tolerance, judge, measure
from releases.matrix.verdict import Verdict
from tests.unit.matrix.bench import FakeBench, bench_with

LOAD = Load(users=4, rounds=10, bursts=1, rate=1000, hold=0)


def judged(bench: FakeBench) -> dict[str, Outcome]:
    return judge(measure(bench, LOAD, lambda *_: None), LOAD, Tolerance())


def red(outcomes: dict[str, Outcome]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome.verdict is Verdict.RED}


def test_equal_releases_are_nowhere_red() -> None:
    outcomes = judged(bench_with())
    assert not red(outcomes)
    assert outcomes["time to log in"].verdict is Verdict.GREEN
    assert outcomes["memory growth"].verdict is Verdict.GREEN


@pytest.mark.parametrize(
    ("amounts", "cells"),
    [
        ({"login_ms": 400.0}, {"time to log in", "login rate"}),
        ({"stream_seconds": 0.3}, {"throughput"}),
        ({"kept": 128 * 1024}, {"memory growth"}),
        ({"files": 1}, {"open files"}),
    ],
)
def test_fault_is_caught_by_its_cell(amounts: dict[str, Any], cells: set[str]) -> None:
    assert red(judged(bench_with(**amounts))) == cells


def test_refused_logins_are_counted_and_not_timed() -> None:
    bench = bench_with("password")
    taken = measure(bench, LOAD, lambda *_: None)
    assert taken["new"].failed == taken["new"].tried == taken["old"].tried > 0
    assert not taken["new"].login_ms
    assert red(judge(taken, LOAD, Tolerance())) == {"failed logins"}


def test_release_that_goes_down_ends_the_measuring() -> None:
    with pytest.raises(Unfit):
        judged(bench_with("down"))


def test_rounds_leave_nobody_behind_and_say_how_far() -> None:
    bench, said = bench_with(), list[tuple[int, int]]()
    taken = measure(bench, LOAD, lambda _, done, total: said.append((done, total)))
    assert (bench.new.on, bench.old.on) == (0, 0)
    assert said == [(number, LOAD.rounds) for number in range(LOAD.rounds)]
    assert taken["new"].tried == taken["old"].tried == 2 * LOAD.users * LOAD.rounds
    assert len(taken["new"].login_ms) == len(taken["old"].login_ms) == LOAD.users * LOAD.rounds


def test_nothing_measured_is_unclear_and_fits_into_json() -> None:
    outcomes = judge({"new": Samples(), "old": Samples()}, LOAD, Tolerance())
    assert {outcome.verdict for outcome in outcomes.values()} == {Verdict.UNCLEAR}
    assert all(
        abs(value) != float("inf")
        for one in outcomes.values()
        for value in one.numbers.values()
        if isinstance(value, float)
    )
