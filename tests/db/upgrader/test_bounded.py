"""Freezes and budgets at work: what has not begun waits, what runs ends what is in hand, going back is never bound."""

from __future__ import annotations

from datetime import timedelta

from fleet.models import Gateway
from tests.db.upgrader.world import OLD, SPEC, Fleet
from upgrader.models import Budget, Freeze, Rollout
from upgrader.states import U


def freeze(fleet: Fleet) -> Freeze:
    about = {"reason": "sale week", "made_by": fleet.ola, "made_at": fleet.now(), "starts_at": fleet.now()}
    return Freeze.objects.create(pool=fleet.pool, ends_at=fleet.now() + timedelta(hours=2), **about)


def states(fleet: Fleet, rollout: Rollout) -> list[str]:
    return [upgrade.state for upgrade in fleet.upgrades(rollout)]


def test_what_has_not_begun_waits_and_says_why(fleet: Fleet) -> None:
    frozen = freeze(fleet)
    rollout = fleet.started()
    fleet.turn(5)
    rollout.refresh_from_db()
    assert (rollout.state, set(states(fleet, rollout))) == ("upgrading", {U.PLANNED})
    assert "is frozen until 05:00 UTC" in rollout.waits
    Freeze.objects.filter(pk=frozen.pk).update(lifted_at=fleet.now())
    fleet.until(rollout, "waiting_promotion", seconds=90)
    assert rollout.waits == ""


def test_what_runs_ends_what_is_in_hand_and_then_holds(fleet: Fleet) -> None:
    fleet.strategy.spec = {**SPEC, "promote": "machine"}
    fleet.strategy.save()
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.turn(30)
    freeze(fleet)
    fleet.until(rollout, "held", seconds=90)
    assert "sale week. What was in hand is finished; resume when it may go on." in rollout.reason
    assert states(fleet, rollout) == [U.DRAINING, U.PLANNED, U.PLANNED]
    fleet.act("resume", rollout)
    fleet.until(rollout, "held", seconds=5)


def test_a_freeze_never_binds_a_rollback(fleet: Fleet) -> None:
    fleet.machines["gw-1"].faults.bad_logins_after["1.3.0-2"] = 2
    rollout = fleet.started()
    fleet.turn(3)
    freeze(fleet)
    fleet.until(rollout, "rolled_back", seconds=60)
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}


def test_as_many_begin_as_the_budget_has_room_for(fleet: Fleet) -> None:
    Budget.objects.filter(pool=None).update(gateways_percent=34)
    fleet.strategy.spec = {**SPEC, "waves": [{"rest": True}], "at_once": 3}
    fleet.strategy.save()
    rollout = fleet.started()
    assert sorted(states(fleet, rollout)) == [U.PLANNED, U.UPGRADING, U.UPGRADING]
    rollout.refresh_from_db()
    assert rollout.waits.startswith("Waits for room: 2 of 3 gateways of the fleet may be out (34 %)")
    fleet.until(rollout, "waiting_promotion", "draining", seconds=90)
    assert rollout.waits == ""


def test_an_outage_takes_room_from_every_rollout(fleet: Fleet) -> None:
    Budget.objects.filter(pool=None).update(gateways_percent=1)
    frozen = freeze(fleet)
    rollout = fleet.started()
    Gateway.objects.filter(name="gw-3").update(state=Gateway.State.UNREACHABLE)
    Freeze.objects.filter(pk=frozen.pk).update(lifted_at=fleet.now())
    fleet.turn(3)
    assert set(states(fleet, rollout)) == {U.PLANNED}
    rollout.refresh_from_db()
    assert "gw-3 does not answer" in rollout.waits
    Gateway.objects.filter(name="gw-3").update(state=Gateway.State.ENROLLED)
    fleet.turn(3)
    assert states(fleet, rollout)[0] != U.PLANNED
    assert fleet.machines["gw-2"].machine.steering.committed.release == OLD  # type: ignore[union-attr]  # one is committed
