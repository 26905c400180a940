"""The controller is cut off from a gateway that decides for itself meanwhile: when it sees again, it believes it."""

from __future__ import annotations

from tests.db.upgrader.world import NEW, OLD, SPEC, Fleet
from upgrader.models import Rollout
from upgrader.states import U

ALL = {**SPEC, "waves": [{"rest": True}], "promote": "machine", "at_once": 3}


def under(fleet: Fleet, **spec: object) -> Rollout:
    fleet.strategy.spec = {**ALL, **spec}
    fleet.strategy.save()
    return fleet.started()


def at_commit(fleet: Fleet) -> Rollout:
    """The verdict was drawn, and gw-1 has not heard of it."""
    rollout = under(fleet)
    fleet.due_step("commit")
    return rollout


def test_a_trial_that_ended_before_the_commit_came_is_not_committed(fleet: Fleet) -> None:
    rollout = at_commit(fleet)
    gateway = fleet.machines["gw-1"]
    gateway.faults.unreachable = True
    fleet.until(rollout, "held", seconds=90)
    fleet.turn(70)
    gateway.faults.unreachable = False
    fleet.act("resume", rollout)
    fleet.until(rollout, "held", seconds=10)
    said = "gw-1 heard nothing from us for 60 s and went back to 1.1.6-3 by itself, as agreed; no session was touched."
    assert rollout.reason == f"{said} Resume sends its new users there again; roll back gives it up."
    assert gateway.machine.weights() == {1: 100}
    fleet.act("resume", rollout)
    fleet.until(rollout, "draining", seconds=120)
    assert rollout.waves.get().reason.endswith("Except gw-1, which is tried again and comes behind it.")
    fleet.turn(40)
    assert gateway.machine.steering.committed is not None
    assert gateway.machine.steering.committed.release == NEW
    assert gateway.machine.cut == []


def test_a_commit_whose_answer_was_lost_is_believed(fleet: Fleet) -> None:
    rollout = at_commit(fleet)
    gateway = fleet.machines["gw-1"]
    gateway.faults.lose_answers = 1
    fleet.until(rollout, "draining", seconds=60)
    assert gateway.effects["commit"] == 1


def test_a_commit_whose_answer_never_came_is_taken_back_when_people_say_so(fleet: Fleet) -> None:
    rollout = at_commit(fleet)
    gateway = fleet.machines["gw-1"]
    gateway.commit(2, fence=10_000)
    gateway.machine.fence = 1
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, "rolled_back", seconds=60)
    assert gateway.machine.steering.committed is not None
    assert gateway.machine.steering.committed.release == OLD
    assert gateway.machine.cut == []


def test_a_reboot_while_a_pool_waits_to_shift_takes_it_back(fleet: Fleet) -> None:
    rollout = under(fleet, kind="blue_green")
    fleet.due_step("shift")
    fleet.machines["gw-2"].reboot()
    fleet.until(rollout, "rolled_back", seconds=60)
    assert "A pool shifts together" in rollout.reason
    assert [gateway.machine.weights() for gateway in fleet.machines.values()] == [{1: 100}] * 3
    assert {upgrade.state for upgrade in fleet.upgrades(rollout)} == {U.ROLLED_BACK}
