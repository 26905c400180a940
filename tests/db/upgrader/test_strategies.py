"""Strategies on gateways in memory: not observed, shares by hand, failures that may be, blue-green, who left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from approvals.errors import Refused
from fleet.models import Gateway, Pool
from tests.db.upgrader.world import NEW, OLD, SPEC, Fleet
from upgrader import desk, engine, hint, one_gateway, run, together
from upgrader.models import Rollout, StepRun
from upgrader.states import R, U


@pytest.fixture
def by(transactional_db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A fleet under a strategy that the test says."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)
    return lambda **spec: Fleet(spec={**SPEC, **spec})


ONE = [{"rest": True}]
TOGETHER = {"kind": "blue_green", "waves": ONE, "at_once": 3, "promote": "machine"}


def states(fleet: Fleet, rollout: Rollout) -> list[str]:
    return sorted(upgrade.state for upgrade in fleet.upgrades(rollout))


def shifts(rollout: Rollout) -> list[StepRun]:
    return list(StepRun.objects.filter(upgrade__wave__rollout=rollout, name="shift"))


def committed(fleet: Fleet) -> list[str]:
    return [gateway.machine.steering.committed.release for gateway in fleet.machines.values()]  # type: ignore[union-attr]  # one is committed on each


def test_what_is_not_observed_goes_from_the_shift_to_its_end(by: Any) -> None:
    fleet = by(waves=ONE, observe_seconds=0, promote="machine")
    rollout = fleet.until(fleet.started(), "draining", seconds=10)
    assert not StepRun.objects.filter(upgrade__wave__rollout=rollout, name="observe").exists()
    assert committed(fleet) == [NEW] * 3
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]


def test_a_share_by_hand_waits_for_a_person(by: Any) -> None:
    fleet = by(shares="hand")
    rollout = fleet.until(fleet.started(), "waiting_promotion", seconds=60)
    assert rollout.reason.startswith("Wave 1 passed at share 1 of 2. The next waits for a person.")
    fleet.turn(30)
    assert fleet.machines["gw-1"].machine.weights() == {1: 75, 2: 25}
    fleet.act("promote", rollout)
    fleet.turn(5)
    assert fleet.machines["gw-1"].machine.weights() == {2: 100}


@pytest.mark.parametrize(("most", "state"), [(0, "held"), (1, "held"), (2, "draining")])
def test_so_many_may_fail_and_one_more_holds(by: Any, most: int, state: str) -> None:
    fleet = by(waves=ONE, observe_seconds=0, failures_max=most, at_once=3)
    for name in ("gw-1", "gw-2"):
        fleet.machines[name].faults.disk_full = True
    rollout = fleet.until(fleet.started(), state, seconds=60)
    if state == "held":
        return
    assert states(fleet, rollout) == ["draining", "failed", "failed"]
    assert rollout.waves.get().reason.endswith("Except gw-1 and gw-2, which failed.")
    fleet.sign_out_all()
    fleet.until(rollout, "held", seconds=30)
    assert rollout.reason.startswith("All else is done. 2 gateways failed, 2 may: gw-1 and gw-2.")


def test_a_wave_of_which_all_failed_does_not_pass(by: Any) -> None:
    fleet = by(waves=ONE, failures_max=3, at_once=3)
    for gateway in fleet.machines.values():
        gateway.faults.disk_full = True
    rollout = fleet.until(fleet.started(), "held", seconds=60)
    assert rollout.reason.startswith("Every gateway of wave 1 failed, so it does not pass.")


def test_a_gateway_that_failed_and_is_tried_again_comes_behind_its_wave(by: Any) -> None:
    fleet = by(failures_max=1, waves=ONE, at_once=3, promote="machine", observe_seconds=20)
    fleet.machines["gw-2"].faults.disk_full = True
    rollout = fleet.until(fleet.started(), "draining", seconds=90)
    fleet.machines["gw-2"].faults.disk_full = False
    failed = next(upgrade for upgrade in fleet.upgrades(rollout) if upgrade.state == U.FAILED)
    about = {"actor": fleet.who(fleet.ola), "seen_version": rollout.version, "reason": "", "now": fleet.now()}
    one_gateway.retry(rollout, failed.pk, **about)
    fleet.turn(60)
    assert states(fleet, rollout) == ["draining"] * 3
    assert committed(fleet) == [NEW] * 3


def test_a_pool_shifts_together_when_every_gateway_is_ready(by: Any) -> None:
    fleet = by(**TOGETHER)
    fleet.machines["gw-3"].faults.unreachable = True
    rollout = fleet.started()
    fleet.turn(3)
    assert states(fleet, rollout) == ["ready", "ready", "upgrading"]
    assert {tuple(gateway.machine.weights()) for gateway in fleet.machines.values()} == {(1,)}
    fleet.machines["gw-3"].faults.unreachable = False
    fleet.until(rollout, "draining", seconds=90)
    moments = {step.args["at"] for step in shifts(rollout)}
    assert len(moments) == 1
    asked = [step.result["asked_at"] for step in shifts(rollout)]
    assert max(asked) < moments.pop(), "all were asked before the moment came"
    assert committed(fleet) == [NEW] * 3


def test_the_last_that_becomes_ready_lets_all_shift_at_once(by: Any) -> None:
    """A worker asks the engine then; else each of them would wait for the clock's next tick."""
    fleet = by(**TOGETHER)
    rollout = fleet.started()
    asked = []
    while not shifts(rollout):
        for step_id in engine.tick(now=fleet.now())[:1]:
            asked.append(run.run_chain(step_id, opener=fleet.opener, clock=fleet.now).ask_engine)
            if asked[-1]:
                engine.advance(rollout.pk, now=fleet.now())
    assert asked.count(True) == 1, "the others have nothing to tell"
    assert asked[-1]
    assert {desk.lane_of(step.name, step.args) for step in shifts(rollout)} == {"together"}


def test_more_than_can_wait_for_one_moment_are_refused(by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "THREADS", 2)
    with pytest.raises(Refused, match="1 worker process waits for 2 at most; one would have 3. Choose a rolling"):
        by(**TOGETHER).draft()


def test_a_gateway_that_does_not_shift_takes_the_others_back(by: Any) -> None:
    fleet = by(**TOGETHER)
    fleet.machines["gw-2"].faults.dies_after[NEW] = 1
    rollout = fleet.started()
    fleet.due_step("shift")
    fleet.seconds += 2
    fleet.until(rollout, "rolled_back", seconds=60)
    assert "A pool shifts together, so the others go back together." in rollout.reason
    assert committed(fleet) == [OLD] * 3
    assert [gateway.machine.weights() for gateway in fleet.machines.values()] == [{1: 100}] * 3
    assert [gateway.machine.cut for gateway in fleet.machines.values()] == [[], [], []]


def test_who_left_before_his_turn_is_left_out(by: Any) -> None:
    fleet = by(promote="machine")
    rollout = fleet.started()
    Gateway.objects.filter(name="gw-3").update(pool=Pool.objects.create(name="other"))
    fleet.until(rollout, "draining", seconds=120)
    left = next(upgrade for upgrade in fleet.upgrades(rollout) if upgrade.gateway.name == "gw-3")
    assert (left.state, left.reason) == (U.SKIPPED, "gw-3 left the pool eu-west before its turn.")
    assert fleet.machines["gw-3"].effects == {}


def test_the_old_release_that_fails_too_is_not_gone_back_to(by: Any) -> None:
    fleet = by(waves=ONE, at_once=3)
    rollout = fleet.started()
    fleet.turn(5)
    for machine in fleet.machines.values():
        machine.faults.bad_logins_after[OLD] = 0
        machine.faults.dies_after[NEW] = 8
    fleet.until(rollout, "held", seconds=60)
    assert "It was not rolled back, for the old release is no better" in rollout.reason
    for machine in fleet.machines.values():
        del machine.faults.bad_logins_after[OLD]
    fleet.act("roll_back", rollout)
    fleet.until(rollout, R.ROLLED_BACK, seconds=60)
