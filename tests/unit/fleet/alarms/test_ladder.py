"""Escalation by minutes, and what a silence covers."""

from __future__ import annotations

import pytest

from fleet.alarms.ladder import About, Match, Step, is_silent


@pytest.mark.parametrize(
    ("step", "minutes", "turn"),
    [
        (Step(0, 30), 0, 0),
        (Step(0, 30), 29.9, 0),
        (Step(0, 30), 30, 1),
        (Step(15, 30), 14.9, None),
        (Step(15, 30), 15, 0),
        (Step(15, 30), 106, 3),  # what was missed while nobody looked is told once
        (Step(15, 0), 15, 0),
        (Step(15, 0), 9999, 0),
    ],
)
def test_who_is_told_after_how_many_minutes(step: Step, minutes: float, turn: int | None) -> None:
    assert step.turn(minutes * 60) == turn


HERE = About("login-failures", pool=3, rollout=12, gateways=("a", "b"))


@pytest.mark.parametrize(
    ("silences", "silent"),
    [
        ([], False),
        ([Match(what="login-failures")], True),
        ([Match(what="memory")], False),
        ([Match(pool=3)], True),
        ([Match(pool=4)], False),
        ([Match(rollout=12, pool=3)], True),
        ([Match(rollout=13, pool=3)], False),
        ([Match(what="login-failures", pool=4)], False),
        ([Match(gateway="a")], False),  # the other one fails, too
        ([Match(gateway="a"), Match(gateway="b")], True),
        ([Match(gateway="a"), Match(gateway="b", what="memory")], False),
        ([Match(gateway="c")], False),
    ],
)
def test_what_a_silence_covers(silences: list[Match], silent: bool) -> None:
    assert is_silent(HERE, silences) is silent
