"""A gateway that can't steer: drained in front, then its release is replaced, and who is cut stands in the plan."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from tests.db.upgrader.fronts import Front, strategy, without_nft
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import services
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import R, U


@pytest.fixture
def front(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Front:
    without_nft(fleet)
    strategy(fleet)
    return Front(fleet, monkeypatch, servers={"": "gw"})


def test_without_a_balancer_everybody_is_cut_and_the_plan_says_so(fleet: Fleet) -> None:
    without_nft(fleet)
    strategy(fleet)
    rollout = fleet.until(fleet.started(), R.DONE)
    assert rollout.plan["cut"] == 12
    for upgrade in fleet.upgrades(rollout):
        assert (upgrade.way, upgrade.state, len(upgrade.cut)) == ("in_place", U.DONE, 4)
        committed = fleet.machines[upgrade.gateway.name].facts().committed
        assert committed is not None
        assert committed.release == NEW


def test_more_users_than_were_approved_are_not_cut(fleet: Fleet) -> None:
    without_nft(fleet)
    strategy(fleet)
    rollout = fleet.draft()
    Upgrade.objects.filter(wave__rollout=rollout).update(cut_at_most=3)
    rollout = started(fleet, rollout)
    fleet.until(rollout, R.HELD)
    assert "Nobody was cut" in failed_step(rollout).error
    assert [len(machine.sessions()) for machine in fleet.machines.values()] == [4, 4, 4]


def test_a_drain_in_front_waits_and_then_nobody_is_cut(fleet: Fleet, front: Front) -> None:
    rollout = fleet.started()
    assert rollout.plan["cut"] == 0
    fleet.turn(10)
    step = StepRun.objects.filter(name="drain_front").first()
    assert step is not None
    assert "4 users still on gw-" in step.result["say"]
    assert front.takes_new("gw-1") == [[], []]
    fleet.sign_out_all()
    fleet.until(rollout, R.DONE)
    assert all(not upgrade.cut for upgrade in fleet.upgrades(rollout))
    assert front.takes_new("gw-1") == [[0], [0]]


def test_a_few_may_be_cut_where_the_strategy_says_so(fleet: Fleet, front: Front) -> None:
    strategy(fleet, drain={"deadline_hours": 24, "sessions_max": 5})
    rollout = fleet.until(fleet.started(), R.DONE)
    assert [len(upgrade.cut) for upgrade in fleet.upgrades(rollout)] == [4, 4, 4]


def test_a_balancer_that_forgets_is_told_again(fleet: Fleet, front: Front) -> None:
    fleet.started()
    fleet.turn(10)
    front.of("gw-1")[0].restart()
    assert front.takes_new("gw-1") == [[0], []]
    fleet.turn(5)
    assert front.takes_new("gw-1") == [[], []]


def test_a_skip_opens_the_front_again(fleet: Fleet, front: Front) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    upgrade = next(one for one in fleet.upgrades(rollout) if one.state == U.UPGRADING)
    assert front.takes_new(upgrade.gateway.name) == [[], []]
    rollout.refresh_from_db()
    seen, who = rollout.version, fleet.who(fleet.cal)
    services.skip(rollout, upgrade.pk, actor=who, seen_version=seen, reason="not today", now=fleet.now())
    fleet.turn(10)
    assert front.takes_new(upgrade.gateway.name) == [[0], [0]]
    assert len(fleet.machines[upgrade.gateway.name].sessions()) == 4


def test_a_rollback_goes_the_same_way_back(fleet: Fleet, front: Front) -> None:
    rollout = fleet.started()
    fleet.sign_out_all()
    fleet.until(rollout, R.UPGRADING)
    fleet.turn(8)
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    for name, machine in fleet.machines.items():
        committed = machine.facts().committed
        assert committed is not None
        assert committed.release == OLD
        assert front.takes_new(name) == [[0], [0]]


def test_balancers_that_disagree_stop_it_before_anything(fleet: Fleet, front: Front) -> None:
    front.of("gw-1")[1].servers[0].weight = 7
    rollout = fleet.until(fleet.started(), R.HELD)
    assert "lb-1 says ready with weight 100, lb-2 says ready with weight 7" in failed_step(rollout).error


def test_a_silent_balancer_stops_it_before_anybody_is_cut(fleet: Fleet, front: Front) -> None:
    strategy(fleet, drain={"deadline_hours": 24, "sessions_max": 5})
    for name in fleet.machines:
        front.of(name)[1].answers = False
    rollout = fleet.until(fleet.started(), R.HELD)
    tried = StepRun.objects.filter(upgrade__wave__rollout=rollout, name="preflight").exclude(error="")
    assert {step.error for step in tried} == {"lb-2 does not answer."}
    assert [len(machine.sessions()) for machine in fleet.machines.values()] == [4, 4, 4]


def test_a_common_shift_is_nothing_for_gateways_that_hold_one_release(fleet: Fleet) -> None:
    without_nft(fleet)
    strategy(fleet, kind="blue_green")
    with pytest.raises(Refused, match="gw-1, gw-2 and gw-3 can't hold two releases at once"):
        fleet.draft()


def failed_step(rollout: Rollout) -> StepRun:
    failed = StepRun.objects.filter(upgrade__wave__rollout=rollout, state="failed").order_by("ordinal").first()
    assert failed is not None, rollout.reason
    return failed


def started(fleet: Fleet, rollout: Rollout) -> Rollout:
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    rollout.refresh_from_db()
    return rollout
