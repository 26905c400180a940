"""Abort: stop for good; what can go back does, what has retired its old slot stays."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent, Request
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import services
from upgrader.models import Rollout


def serving(fleet: Fleet) -> dict[str, str]:
    places = {name: gateway.machine.steering.committed for name, gateway in fleet.machines.items()}
    return {name: place.release for name, place in places.items() if place}


def draining(fleet: Fleet) -> Rollout:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.act("promote", rollout)
    return fleet.until(rollout, "draining")


def sign_out(fleet: Fleet, name: str) -> None:
    machine = fleet.machines[name].machine
    for session in list(machine.sessions()):
        machine.sign_out(session)
    for chair in machine.crowd.chairs:
        chair.session = None


def test_a_plan_that_did_not_begin_is_over(fleet: Fleet) -> None:
    rollout = fleet.draft()
    fleet.act("abort", rollout, reason="wrong release")
    assert (rollout.state, rollout.reason) == ("rejected", "wrong release")
    with pytest.raises(Refused, match="was rejected"):
        fleet.act("abort", rollout)


def test_the_question_of_an_aborted_plan_is_void(fleet: Fleet) -> None:
    rollout = fleet.draft()
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    fleet.act("abort", rollout)
    assert (rollout.state, Request.objects.get().state) == ("rejected", "void")


def test_while_a_wave_is_observed_it_goes_back(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.turn(8)
    fleet.act("abort", rollout, reason="users complain")
    assert rollout.state == "rolling_back"
    assert fleet.until(rollout, "rolled_back").reason.endswith("Why: users complain")
    assert set(serving(fleet).values()) == {OLD}
    assert AuditEvent.objects.filter(verb="rollout.moved", actor="ola", reason="users complain").count() == 1


def test_after_everything_was_promoted_it_works_too(fleet: Fleet) -> None:
    rollout = draining(fleet)
    assert set(serving(fleet).values()) == {NEW}
    fleet.act("abort", rollout)
    fleet.until(rollout, "rolled_back")
    assert set(serving(fleet).values()) == {OLD}
    assert all(gateway.machine.cut == [] for gateway in fleet.machines.values())


def test_what_has_retired_its_old_slot_stays(fleet: Fleet) -> None:
    rollout = draining(fleet)
    sign_out(fleet, "gw-1")
    fleet.turn(5)
    fleet.act("abort", rollout)
    fleet.until(rollout, "rolled_back")
    assert serving(fleet) == {"gw-1": NEW, "gw-2": OLD, "gw-3": OLD}
    assert {up.gateway.name: up.state for up in fleet.upgrades(rollout)} == {
        **{"gw-1": "done", "gw-2": "rolled_back", "gw-3": "rolled_back"}
    }


def test_twice_from_two_browsers(fleet: Fleet) -> None:
    rollout = draining(fleet)
    fleet.act("abort", rollout)
    events = AuditEvent.objects.count()
    with pytest.raises(Refused, match="is rolling back"):
        fleet.act("abort", rollout, by=fleet.cal)
    assert AuditEvent.objects.count() == events


def test_refused_without_the_right(fleet: Fleet) -> None:
    with pytest.raises(Refused, match="You may not abort on eu-west"):
        fleet.act("abort", fleet.started(), by=fleet.ada)


def test_after_the_last_old_slot_is_retired_there_is_nothing_to_abort(fleet: Fleet) -> None:
    rollout = draining(fleet)
    fleet.sign_out_all()
    fleet.until(rollout, "done")
    with pytest.raises(Refused, match="is done"):
        fleet.act("abort", rollout)


def test_what_an_abort_left_can_be_rolled_back_later(fleet: Fleet) -> None:
    rollout = draining(fleet)
    sign_out(fleet, "gw-2")
    fleet.turn(5)
    fleet.act("abort", rollout)
    fleet.until(rollout, "rolled_back")
    fleet.act("roll_back", rollout)
    assert rollout.back_request is not None
