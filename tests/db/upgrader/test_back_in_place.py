"""Going back where one release at a time serves cuts users: asked by one, agreed to by another, no more than named."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent, Request
from fleet.models import Gateway
from tests.db.upgrader.fronts import strategy, without_nft
from tests.db.upgrader.test_back_asked import decide
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import services
from upgrader.models import Rollout, StepRun
from upgrader.states import R, S, U


def committed(fleet: Fleet) -> set[str]:
    places = [machine.facts().committed for machine in fleet.machines.values()]
    return {place.release if place else "" for place in places}


def users(fleet: Fleet) -> int:
    return sum(len(machine.sessions()) for machine in fleet.machines.values())


def watched(fleet: Fleet) -> Rollout:
    """Three gateways without nft serve the new release on trial, and four users signed in on each."""
    without_nft(fleet)
    strategy(fleet, observe_seconds=600)
    rollout = fleet.started()
    fleet.turn(10)
    for name in fleet.machines:
        sign_in(fleet, name, 4)
    fleet.turn(2)
    assert [(row.state, row.gateway.sessions) for row in fleet.upgrades(rollout)] == [(U.OBSERVING, 4)] * 3
    return rollout


def sign_in(fleet: Fleet, gateway: str, users: int) -> None:
    machine = fleet.machines[gateway].machine
    for number in range(users):
        remote = f"198.51.100.{100 + len(machine.sessions())}"
        session = machine.sign_in(fleet.seconds, id=f"{remote}-{number}", user=f"user{number}", remote=remote)
        assert session is not None
        machine.guests[session.id] = session


def asked(fleet: Fleet) -> Rollout:
    rollout = watched(fleet)
    fleet.act("roll_back", rollout, reason="logins hang")
    return rollout


def test_one_person_asks_and_nobody_is_cut(fleet: Fleet) -> None:
    rollout = asked(fleet)
    assert rollout.state == R.HELD
    assert rollout.reason == (
        "Rolling back needs a second person: it cuts 12 users, where only one release at a time can serve."
    )
    summary = Request.objects.get(kind="rollout.rollback").summary
    assert [(it["name"], it["cut"]) for it in summary["gateways"]] == [("gw-1", 4), ("gw-2", 4), ("gw-3", 4)]
    assert (summary["stay"], summary["reconnect"]) == (0, 12)
    fleet.turn(3)
    assert users(fleet) == 12
    assert not StepRun.objects.filter(name="restore").exists()


def test_the_yes_of_another_cuts_them_and_names_who(fleet: Fleet) -> None:
    rollout = asked(fleet)
    decide(fleet, rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    assert committed(fleet) == {OLD}
    assert {len(upgrade.cut) for upgrade in fleet.upgrades(rollout)} == {8}  # four when it came, four when it went
    event = AuditEvent.objects.filter(verb="approval.approved").latest("seq")
    assert event.actor == "cal"


def test_more_than_were_named_and_it_is_asked_again(fleet: Fleet) -> None:
    rollout = asked(fleet)
    Gateway.objects.filter(name="gw-1").update(sessions=5)
    with pytest.raises(Refused, match="5 users are on gw-1 by now, and 4 were named. Ask again."):
        decide(fleet, rollout, by=fleet.cal)
    assert users(fleet) == 12


def test_who_comes_after_the_yes_is_not_cut(fleet: Fleet) -> None:
    rollout = asked(fleet)
    sign_in(fleet, "gw-1", 1)
    decide(fleet, rollout, by=fleet.cal)
    fleet.until(rollout, R.FAILED)
    assert "has 5 users, and 4 may be cut. It goes on. Nobody was cut. Roll back again" in rollout.reason
    assert len(fleet.machines["gw-1"].sessions()) == 5
    fleet.act("roll_back", rollout)
    decide(fleet, rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    assert committed(fleet) == {OLD}


def test_where_nobody_is_on_one_person_is_enough(fleet: Fleet) -> None:
    rollout = watched(fleet)
    fleet.sign_out_all()
    fleet.turn(2)
    fleet.act("roll_back", rollout)
    assert rollout.state == R.ROLLING_BACK
    fleet.until(rollout, R.ROLLED_BACK)
    assert committed(fleet) == {OLD}


def test_an_abort_asks_like_a_rollback(fleet: Fleet) -> None:
    rollout = watched(fleet)
    fleet.act("abort", rollout)
    assert (rollout.state, Request.objects.get(kind="rollout.rollback").summary["reconnect"]) == (R.HELD, 12)


def test_one_gateway_is_not_taken_back_by_one_person(fleet: Fleet) -> None:
    rollout = watched(fleet)
    first = fleet.upgrades(rollout)[0]
    with pytest.raises(Refused, match="To take gw-1 back cuts its 4 users"):
        leave_out(fleet, rollout, first.pk)
    fleet.turn(2)
    assert (users(fleet), fleet.upgrades(rollout)[0].state) == (12, U.OBSERVING)


def test_before_its_release_is_exchanged_one_person_takes_it_back(fleet: Fleet) -> None:
    without_nft(fleet)
    strategy(fleet)
    rollout = fleet.started()
    fleet.due_step("check")
    fleet.act("roll_back", rollout)
    fleet.until(rollout, R.ROLLED_BACK)
    assert users(fleet) == 12
    assert NEW not in committed(fleet)


def test_a_verdict_takes_back_without_a_question(fleet: Fleet) -> None:
    rollout = watched(fleet)
    for machine in fleet.machines.values():
        machine.faults.bad_logins_after[NEW] = 0
    fleet.until(rollout, R.ROLLED_BACK)
    assert committed(fleet) == {OLD}
    assert not StepRun.objects.filter(name="restore", state=S.FAILED).exists()


def leave_out(fleet: Fleet, rollout: Rollout, upgrade: int) -> None:
    rollout.refresh_from_db()
    seen, who = rollout.version, fleet.who(fleet.cal)
    services.skip(rollout, upgrade, actor=who, seen_version=seen, reason="not this one", now=fleet.now())
