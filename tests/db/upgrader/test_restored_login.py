"""A rollback is proved by a login on the old slot: one that fails may be chance, three in a row call a person."""

from __future__ import annotations

import pytest

from tests.db.upgrader.world import OLD, Fleet
from upgrader.models import Rollout, StepRun


@pytest.fixture
def going_back(fleet: Fleet) -> Rollout:
    """A rollback whose first login on the old slot of gw-1 has just failed."""
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.machines["gw-1"].faults.bad_logins_after[OLD] = 0
    fleet.act("roll_back", rollout)
    fleet.work()
    return rollout


def restore() -> StepRun:
    return StepRun.objects.get(name="restore", upgrade__gateway__name="gw-1")


def test_one_that_fails_is_tried_again_while_users_are_back_already(fleet: Fleet, going_back: Rollout) -> None:
    assert restore().state == "due"
    assert restore().result["say"].endswith("It is tried again.")
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}
    del fleet.machines["gw-1"].faults.bad_logins_after[OLD]
    fleet.until(going_back, "rolled_back", seconds=30)
    assert fleet.machines["gw-1"].machine.cut == []


def test_three_in_a_row_call_a_person(fleet: Fleet, going_back: Rollout) -> None:
    fleet.until(going_back, "failed", seconds=30)
    assert restore().attempts == 3
    assert "Tried 3 times. A person is needed." in going_back.reason
