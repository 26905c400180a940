"""Whose own contact is told while somebody is on call."""

from __future__ import annotations

import pytest

from fleet.alarms.ladder import OnCall

ANN, BOB, LOOKS = 1, 2, 3
SERVES = OnCall(frozenset({ANN, BOB}), frozenset({ANN}))


@pytest.mark.parametrize(("person", "told"), [(ANN, True), (BOB, False), (LOOKS, True), (None, True)])
def test_of_those_with_the_role_who_is_on_call_is_told(person: int | None, told: bool) -> None:
    assert SERVES.reaches(person) is told


def test_in_a_gap_everybody_is() -> None:
    assert OnCall(frozenset({ANN, BOB}), frozenset()).reaches(BOB)
