"""What a verdict may not take back alone is asked of people, and a question that a verdict overtook ends."""

from __future__ import annotations

import pytest
from guardian.shortcuts import remove_perm

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import AuditEvent, Request
from fleet.models import Alert
from tests.db.upgrader.test_abort import draining, serving
from tests.db.upgrader.test_back_asked import decide
from tests.db.upgrader.test_drain_asked import act
from tests.db.upgrader.test_one_gateway import of
from tests.db.upgrader.test_ways_around import with_spec
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import selectors
from upgrader.models import Budget, Rollout, Upgrade
from upgrader.states import R, U
from upgrader.why import why


def second_wave(fleet: Fleet, **spec: object) -> Rollout:
    """gw-1 serves the new release and has retired its old slot; the second wave is being observed."""
    with_spec(fleet, **{"on_fail": "rollout", **spec})
    rollout = fleet.until(fleet.started(), R.WAITING_PROMOTION)
    fleet.sign_out_all()
    for _ in range(60):
        fleet.turn(1)
        if of(rollout, "gw-1").state == U.DONE:
            break
    fleet.act("promote", rollout)
    fleet.turn(8)
    return rollout


def fails(fleet: Fleet, rollout: Rollout) -> Rollout:
    fleet.machines["gw-2"].faults.bad_logins_after[NEW] = 0
    return fleet.until(rollout, R.ROLLED_BACK)


def test_the_machine_asks_for_what_it_left(fleet: Fleet) -> None:
    rollout = fails(fleet, second_wave(fleet))
    assert serving(fleet) == {"gw-1": NEW, "gw-2": OLD, "gw-3": OLD}
    request = rollout.back_request
    assert request is not None
    assert (request.state, request.requested_by.username) == ("open", "the controller")
    assert [(it["name"], it["gone"]) for it in request.summary["gateways"]] == [("gw-1", True)]
    assert Alert.objects.get(kind="rollback", ended_at=None).say.startswith(
        "the controller asks to take 1 gateway back."
    )
    assert rollout in selectors.needs_me(fleet.cal, now=fleet.now())
    said = why(selectors.picture(rollout, fleet.cal, now=fleet.now()), fleet.now()).text
    assert "the old slot of gw-1 is retired: there the old release starts anew, so a person decides." in said


def test_one_yes_takes_it_back_at_once(fleet: Fleet) -> None:
    rollout = fails(fleet, second_wave(fleet))
    decide(fleet, rollout, by=fleet.cal)
    assert rollout.state == R.ROLLING_BACK
    fleet.until(rollout, R.ROLLED_BACK)
    assert set(serving(fleet).values()) == {OLD}
    assert AuditEvent.objects.get(verb="rollback.asked").actor == "machine:controller"
    fleet.turn(1)
    assert not Alert.objects.filter(kind="rollback", ended_at=None).exists()
    with pytest.raises(Refused, match="Gateways of this rollout have changed|cal approved this"):
        decide(fleet, rollout, by=fleet.cal)


def test_a_no_leaves_it_with_the_reason(fleet: Fleet) -> None:
    rollout = fails(fleet, second_wave(fleet))
    decide(fleet, rollout, by=fleet.cal, yes=False, reason="gw-1 is fine")
    fleet.turn(3)
    assert (rollout.state, serving(fleet)["gw-1"]) == (R.ROLLED_BACK, NEW)


def test_only_who_may_approve_answers(fleet: Fleet) -> None:
    rollout = fails(fleet, second_wave(fleet))
    remove_perm("approve_rollout", fleet.cal, fleet.pool)
    for person in (fleet.cal, fleet.ola, fleet.ada):
        with pytest.raises(Refused, match="You may not agree to roll back"):
            decide(fleet, rollout, by=person)


def test_where_the_strategy_takes_back_a_wave_nothing_is_asked(fleet: Fleet) -> None:
    rollout = fails(fleet, second_wave(fleet, on_fail="wave"))
    assert rollout.back_request is None


def test_nobody_can_sign_in_as_the_machine(fleet: Fleet) -> None:
    machine = approvals.machine()
    assert (machine.is_active, machine.has_usable_password()) == (False, False)
    assert approvals.machine() == machine


def test_a_question_that_a_verdict_overtook_ends_with_a_sentence(fleet: Fleet) -> None:
    Budget.objects.filter(pool=None).update(rollback_gateways=1)
    rollout = second_wave(fleet, on_fail="wave")
    fleet.act("roll_back", rollout, reason="logins hang")
    request = rollout.back_request
    assert request is not None
    assert (rollout.state, request.state) == (R.HELD, "open")
    fails(fleet, rollout)
    request.refresh_from_db()
    assert request.state == "void"
    event = AuditEvent.objects.get(verb="approval.voided")
    assert (event.actor, event.reason.split(". ")[0]) == ("machine:controller", "The machine rolled back meanwhile")


def test_a_question_about_cutting_ends_with_a_rollback(fleet: Fleet) -> None:
    rollout = draining(fleet)
    fleet.turn(3)
    Upgrade.objects.filter(wave__rollout=rollout).update(drain_until=fleet.now())
    act(fleet, "ask_cut", rollout)
    fleet.act("roll_back", rollout)
    assert Request.objects.get(kind="drain.cut").state == "void"
