"""How a drain ends: at so many users, at its deadline, by people; who was cut is named, and nobody else is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals import names
from approvals.models import AuditEvent
from tests.db.upgrader.world import SPEC, Fleet
from upgrader.models import Rollout, Upgrade
from upgrader.states import U

ONE = {"waves": [{"rest": True}], "promote": "machine", "at_once": 3}


def draining(fleet: Fleet, **drain: object) -> Rollout:
    """A rollout whose three old slots drain under these rules."""
    fleet.strategy.spec = {**SPEC, **ONE, "drain": {"deadline_hours": 1, **drain}}
    fleet.strategy.save()
    return fleet.until(fleet.started(), "draining", seconds=60)


def leave(fleet: Fleet, name: str, left: int) -> None:
    """All but `left` of the gateway's users sign out."""
    machine = fleet.machines[name].machine
    for chair in machine.crowd.chairs[left:]:
        if chair.session is not None:
            machine.sign_out(chair.session)
            chair.session = None


def of(rollout: Rollout, name: str) -> Upgrade:
    return Upgrade.objects.get(wave__rollout=rollout, gateway__name=name)


def late(rollout: Rollout, fleet: Fleet) -> None:
    """The deadline is over."""
    Upgrade.objects.filter(wave__rollout=rollout).update(drain_until=fleet.now())


def test_the_deadline_is_set_when_the_drain_begins(fleet: Fleet) -> None:
    upgrade = of(draining(fleet), "gw-1")
    assert upgrade.drain_until == upgrade.since + timedelta(hours=1)


@pytest.mark.parametrize(("left", "state"), [(2, U.DONE), (3, U.DRAINING)])
def test_equal_to_what_may_be_cut_is_enough_and_one_more_is_not(fleet: Fleet, left: int, state: U) -> None:
    rollout = draining(fleet, sessions_max=2)
    leave(fleet, "gw-1", left)
    fleet.turn(8)
    upgrade = of(rollout, "gw-1")
    assert upgrade.state == state
    cut = fleet.machines["gw-1"].machine.cut
    known = names.behind([user for _, user in upgrade.cut])
    assert sorted([one, known[user]] for one, user in upgrade.cut) == sorted([one.id, one.user] for one in cut)
    told = [who for step in upgrade.steps.filter(name="retire") for who in step.result["cut"]]
    assert sorted([one[0], *one[2:]] for one in told) == sorted([one.id, one.remote, one.vpn_ip] for one in cut)
    assert len(cut) == (2 if state == U.DONE else 0)


def test_the_record_names_who_was_cut(fleet: Fleet) -> None:
    rollout = draining(fleet, sessions_max=1)
    leave(fleet, "gw-1", 1)
    fleet.turn(8)
    upgrade = of(rollout, "gw-1")
    retired = AuditEvent.objects.filter(subject=f"upgrade:{upgrade.pk}", body__contains='"step":"retire"').get()
    assert upgrade.cut[0][1] in retired.body
    assert "1 user cut, as agreed" in retired.body


def test_the_strategy_cuts_at_the_deadline_and_not_before(fleet: Fleet) -> None:
    rollout = draining(fleet, at_deadline="cut", cut_at_most=4)
    fleet.turn(10)
    assert of(rollout, "gw-1").state == U.DRAINING
    late(rollout, fleet)
    fleet.until(rollout, "done", seconds=20)
    assert {len(gateway.machine.cut) for gateway in fleet.machines.values()} == {4}


def test_more_than_the_strategy_cuts_are_a_persons_matter(fleet: Fleet) -> None:
    rollout = draining(fleet, at_deadline="cut", cut_at_most=3)
    late(rollout, fleet)
    fleet.turn(8)
    upgrade = of(rollout, "gw-1")
    assert upgrade.state == U.DRAINING
    drain = upgrade.steps.get(name="drain")
    assert drain.result["say"].endswith("Its time is over: a person says whether it goes on or they are cut.")


def test_the_strategy_extends_once(fleet: Fleet) -> None:
    rollout = draining(fleet, at_deadline="extend", extend_hours=2)
    late(rollout, fleet)
    fleet.turn(8)
    upgrade = of(rollout, "gw-1")
    assert (upgrade.state, upgrade.drain_extended) == (U.DRAINING, 1)
    assert upgrade.drain_until is not None
    assert upgrade.drain_until > fleet.now() + timedelta(minutes=119)
    late(rollout, fleet)
    fleet.turn(8)
    assert of(rollout, "gw-1").drain_extended == 1


def test_what_people_agreed_to_is_cut_and_no_more(fleet: Fleet) -> None:
    rollout = draining(fleet)
    late(rollout, fleet)
    Upgrade.objects.filter(wave__rollout=rollout, gateway__name="gw-1").update(cut_at_most=4)
    Upgrade.objects.filter(wave__rollout=rollout, gateway__name="gw-2").update(cut_at_most=3)
    fleet.turn(8)
    assert (of(rollout, "gw-1").state, of(rollout, "gw-2").state) == (U.DONE, U.DRAINING)
    assert [len(gateway.machine.cut) for gateway in fleet.machines.values()] == [4, 0, 0]


def test_a_slot_that_was_taken_back_cuts_nobody(fleet: Fleet) -> None:
    rollout = draining(fleet, sessions_max=3)
    fleet.machines["gw-1"].sign_in("newcomer", remote="203.0.113.7")
    fleet.act("hold", rollout)
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, "rolled_back", seconds=30)
    fleet.turn(10)
    assert fleet.machines["gw-1"].machine.cut == []
