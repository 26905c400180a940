"""An emergency takes gateways on which yesterday's rollout still drains: three slots, two rollouts, each ends well."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import Refused
from fleet.errors import GiveUp
from tests.db.upgrader.world import NEW, OLD, SPEC, Fleet, make_release
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import S, U
from upgrader.steps.table import STEPS

FIX = "1.3.0-3"
AT_ONCE = {**SPEC, "waves": [{"rest": True}], "promote": "machine", "at_once": 3}


def drains(fleet: Fleet) -> Rollout:
    """A rollout whose old slots have users still."""
    fleet.strategy.spec = AT_ONCE
    fleet.strategy.save()
    return fleet.until(fleet.started(), "draining", seconds=90)


def emergency(fleet: Fleet) -> tuple[Rollout, Rollout]:
    """Another release over it, while the first one drains; somebody signed in on the second slot between."""
    older = drains(fleet)
    for gateway in fleet.machines.values():
        gateway.sign_in("between", remote="203.0.113.7")
    fleet.turn(5)
    fleet.release = make_release(FIX, "1.3.0", counter=1003001)
    fleet.turn(1)
    return older, fleet.until(fleet.started(), "draining", seconds=90)


def committed(fleet: Fleet) -> list[str]:
    return [gateway.machine.steering.committed.release for gateway in fleet.machines.values()]  # type: ignore[union-attr]  # one is committed on each


def states(rollout: Rollout) -> set[str]:
    return set(Upgrade.objects.filter(wave__rollout=rollout).values_list("state", flat=True))


def test_it_does_not_wait_for_the_drain_and_nobody_is_cut(fleet: Fleet) -> None:
    older, younger = emergency(fleet)
    assert committed(fleet) == [FIX] * 3
    assert (states(older), states(younger)) == ({U.DRAINING}, {U.DRAINING})
    slots = fleet.machines["gw-1"].machine.slots
    assert [slots[number].release for number in (1, 2, 3)] == [OLD, NEW, FIX]
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]


def test_both_end_and_each_retires_its_own_slot_when_it_is_empty(fleet: Fleet) -> None:
    older, younger = emergency(fleet)
    machine = fleet.machines["gw-1"].machine
    for guest in list(machine.guests.values()):
        machine.sign_out(guest)
    fleet.turn(8)
    assert [machine.slots[number].running for number in (1, 2, 3)] == [True, False, True], "slot 1 has users still"
    fleet.sign_out_all()
    fleet.until(older, "done", seconds=30)
    fleet.until(younger, "done", seconds=30)
    assert [machine.slots[number].running for number in (1, 2, 3)] == [False, False, True]
    assert machine.cut == []


def test_the_younger_goes_back_first_then_the_older(fleet: Fleet) -> None:
    older, younger = emergency(fleet)
    fleet.act("hold", older)
    with pytest.raises(Refused, match="was upgraded to 1.3.0-3 since. Roll that one back first"):
        fleet.act("roll_back", older)
    fleet.act("roll_back", younger)
    fleet.until(younger, "rolled_back", seconds=60)
    assert committed(fleet) == [NEW] * 3
    fleet.act("roll_back", older)
    fleet.until(older, "rolled_back", seconds=60)
    assert committed(fleet) == [OLD] * 3
    assert [gateway.machine.weights() for gateway in fleet.machines.values()] == [{1: 100}] * 3
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]


def test_a_fail_of_the_younger_leaves_the_drain_of_the_older_alone(fleet: Fleet) -> None:
    older = drains(fleet)
    fleet.turn(5)
    fleet.release = make_release(FIX, "1.3.0", counter=1003001)
    for gateway in fleet.machines.values():
        gateway.faults.bad_logins_after[FIX] = 2
    fleet.until(fleet.started(), "rolled_back", seconds=90)
    older.refresh_from_db()
    assert (older.state, states(older)) == ("draining", {U.DRAINING})
    fleet.sign_out_all()
    fleet.until(older, "done", seconds=30)
    assert committed(fleet) == [NEW] * 3


def test_a_drain_that_says_no_waits_while_another_rollout_works_there(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = drains(fleet)
    fleet.release = make_release(FIX, "1.3.0", counter=1003001)
    usual = STEPS["drain"]

    def no(job: Any, gateway: Any) -> Any:
        if job.release == NEW:
            raise GiveUp("The slot does not say who is on it.", code="odd")
        return usual(job, gateway)

    monkeypatch.setitem(STEPS, "drain", no)
    younger = fleet.started()
    for _ in range(30):
        fleet.turn(1)
        if "upgrading" in states(younger) and said_no(older):
            break
    assert (states(older), said_no(older)) == ({U.DRAINING}, {S.DUE})
    fleet.until(younger, "done", seconds=90)
    fleet.turn(60)
    assert states(older) == {U.FAILED}


def said_no(rollout: Rollout) -> set[str]:
    steps = StepRun.objects.filter(upgrade__wave__rollout=rollout, name="drain", error__contains="does not say")
    return set(steps.values_list("state", flat=True))


def test_a_drain_after_a_rollback_is_asked_until_it_says_yes(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, left = STEPS["drain"], {"times": 5}

    def no(job: Any, gateway: Any) -> Any:
        if left["times"]:
            left["times"] -= 1
            raise GiveUp("It is in no pool now.", code="gone")
        return usual(job, gateway)

    monkeypatch.setitem(STEPS, "drain", no)
    for gateway in fleet.machines.values():
        gateway.faults.bad_logins_after[NEW] = 3
    fleet.until(fleet.started(), "rolled_back", seconds=90)
    fleet.turn(300)
    assert left["times"] == 0
    assert [gateway.machine.slots[2].running for gateway in fleet.machines.values()] == [False] * 3
