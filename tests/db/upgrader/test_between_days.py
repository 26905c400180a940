"""Bad days of a switch between two pools: holds, restarts, users who stay, faults on either side."""

from __future__ import annotations

import pytest

from fleet.models import Gateway
from tests.db.upgrader.paired import BLUE, GREEN, Pools
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import drift, services
from upgrader.models import StepRun
from upgrader.states import R, U


@pytest.fixture
def pools(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Pools:
    return Pools(fleet, monkeypatch, observe_seconds=60)


def leftover(fleet: Fleet, name: str) -> None:
    """Somebody is on a gateway of the idle pool since it served."""
    machine = fleet.machines[name].machine
    session = machine.sign_in(fleet.seconds, id=f"old-{name}", user="nina", remote="192.0.2.77")
    assert session
    machine.guests[session.id] = session


def test_who_is_still_on_the_idle_pool_is_waited_for(fleet: Fleet, pools: Pools) -> None:
    leftover(fleet, "gw-3")
    rollout = fleet.started()
    fleet.turn(10)
    assert pools.opened() == list(BLUE)
    step = StepRun.objects.get(upgrade__gateway__name="gw-3", name="drain_front")
    assert "1 user still on gw-3" in step.result["say"]
    fleet.machines["gw-3"].machine.guests.clear()
    fleet.turn(10)
    assert pools.opened() == list(GREEN)
    rollout.refresh_from_db()
    assert rollout.state == R.UPGRADING


def test_a_hold_between_keeps_the_old_pool_open_and_what_was_brought(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.due_step("settle")
    fleet.act("hold", rollout)
    fleet.turn(300)
    assert pools.opened() == list(BLUE)
    fleet.act("resume", rollout)
    fleet.turn(10)
    assert pools.opened() == list(GREEN)


def test_a_balancer_that_forgets_is_told_again(fleet: Fleet, pools: Pools) -> None:
    fleet.started()
    fleet.turn(10)
    for name in (*BLUE, *GREEN):
        pools.of(name)[1].restart()
    fleet.turn(5)
    assert pools.opened() == list(GREEN)


def test_a_gateway_that_takes_new_users_meanwhile_is_no_idle_one(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    for peer in pools.of("gw-4"):
        peer.servers[0].weight = 100
    fleet.until(rollout, R.HELD)
    assert "gw-4 takes new users at its balancer, so its pool is not the idle one" in rollout.reason


def test_it_does_not_go_back_to_a_pool_that_is_no_better(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    for name in BLUE:
        fleet.machines[name].faults.bad_logins_after[OLD] = 0
    fleet.turn(5)
    for name in GREEN:
        fleet.machines[name].faults.dies_after[NEW] = 0.0
        fleet.machines[name].machine.slots[2].running = False
    fleet.until(rollout, R.HELD)
    assert "the old release is no better" in rollout.reason
    assert pools.opened() == list(GREEN)


def test_an_abort_while_the_old_pool_empties_sends_all_back(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.until(fleet.started(), R.DRAINING)
    fleet.act("abort", rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    assert pools.opened() == list(BLUE)
    assert {row.state for row in fleet.upgrades(rollout)} == {U.ROLLED_BACK}


def test_who_stays_on_the_old_pool_past_the_agreed_time_is_left_there(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.until(fleet.started(), R.DRAINING)
    fleet.seconds += 3600
    fleet.until(rollout, R.DONE)
    assert [len(fleet.machines[name].sessions()) for name in BLUE] == [4, 4]
    said = StepRun.objects.filter(upgrade__way="outgoing", name="drain", state="done")
    assert all("with 4 users on gw-" in step.result["say"] for step in said)


def test_one_that_is_skipped_stays_as_it_is(fleet: Fleet, pools: Pools) -> None:
    fleet.machines["gw-4"].faults.start_failed.add(NEW)
    rollout = fleet.until(fleet.started(), R.HELD)
    skipped, who = pools.rows(rollout)["gw-4"], fleet.who(fleet.cal)
    services.skip(rollout, skipped.pk, actor=who, seen_version=rollout.version, reason="broken", now=fleet.now())
    fleet.turn(3)
    fleet.act("resume", rollout)
    fleet.turn(10)
    assert pools.opened() == ["gw-3"]
    assert pools.rows(rollout)["gw-4"].state == U.SKIPPED


def test_the_old_pool_is_not_drifted_by_what_went_elsewhere(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.sign_out_all()
    fleet.until(rollout, R.DONE)
    blue, green = (Gateway.objects.get(name=name) for name in ("gw-1", "gw-3"))
    assert (drift._committed(blue, None), drift._committed(green, None)) == ("", NEW)
