"""A rollback that one person may not order alone: asked, held, decided by another, done at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from guardian.shortcuts import remove_perm

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import AuditEvent, Request, User
from tests.db.upgrader.test_abort import draining, serving
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader import hint, services
from upgrader.models import Budget, Rollout, StepRun
from upgrader.states import S


def limit(most: int | None) -> None:
    Budget.objects.filter(pool=None).update(rollback_gateways=most)


def asked(fleet: Fleet) -> Rollout:
    """Three gateways drain, one person may take back two: ola has asked."""
    limit(2)
    rollout = draining(fleet)
    fleet.act("roll_back", rollout, reason="logins hang")
    return rollout


def decide(fleet: Fleet, rollout: Rollout, *, by: User, yes: bool = True, **said: Any) -> None:
    rollout.refresh_from_db()
    request = rollout.back_request
    assert request is not None
    words = {"reason": "seen it", "digest": request.digest} | said
    services.decide_back(rollout, yes=yes, actor=fleet.who(by), now=fleet.now(), **words)
    rollout.refresh_from_db()


def test_it_is_held_and_says_who_is_needed(fleet: Fleet) -> None:
    rollout = asked(fleet)
    assert (rollout.state, rollout.held_from) == ("held", "draining")
    assert rollout.reason == (
        "Rolling back needs a second person: it takes back 3 gateways, and one person alone may take back 2."
    )
    request = Request.objects.get(kind="rollout.rollback")
    assert [it["name"] for it in request.summary["gateways"]] == ["gw-1", "gw-2", "gw-3"]
    assert (request.summary["stay"], request.summary["reconnect"], request.summary["to"]) == (12, 0, [OLD])
    fleet.turn(5)
    assert set(serving(fleet).values()) == {NEW}


def test_equal_is_allowed_and_goes_back_at_once(fleet: Fleet) -> None:
    limit(3)
    rollout = draining(fleet)
    fleet.act("roll_back", rollout)
    assert rollout.state == "rolling_back"


def test_the_yes_names_the_work_in_the_same_request(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout, hinted = asked(fleet), []
    monkeypatch.setattr(hint, "send", lambda task, ids, queue: hinted.extend(ids))
    decide(fleet, rollout, by=fleet.cal)
    restores = StepRun.objects.filter(name="restore", state=S.DUE, due_at__lte=fleet.now())
    assert rollout.state == "rolling_back"
    assert {step.pk for step in restores} <= set(hinted)
    assert restores.count() == 3
    assert fleet.until(rollout, "rolled_back").reason.endswith("Why: logins hang")
    assert set(serving(fleet).values()) == {OLD}


def test_who_asked_and_who_agreed_are_on_the_record(fleet: Fleet) -> None:
    rollout = asked(fleet)
    decide(fleet, rollout, by=fleet.cal)
    said = AuditEvent.objects.filter(subject=f"rollout:{rollout.pk}", verb__startswith="approval.")
    assert [(event.verb, event.actor) for event in said.order_by("seq")][-2:] == [
        *(("approval.asked", "ola"), ("approval.approved", "cal"))
    ]


def test_a_no_leaves_it_held_with_the_reason(fleet: Fleet) -> None:
    rollout = asked(fleet)
    decide(fleet, rollout, by=fleet.cal, yes=False, reason="it is the balancer")
    assert (rollout.state, rollout.back_request.state) == ("held", "rejected")  # type: ignore[union-attr]  # it was asked
    fleet.turn(3)
    assert set(serving(fleet).values()) == {NEW}


def test_nobody_agrees_to_his_own(fleet: Fleet) -> None:
    rollout = asked(fleet)
    with pytest.raises(Refused, match="You may not agree to roll back"):
        decide(fleet, rollout, by=fleet.ola)


def test_twice_from_two_browsers(fleet: Fleet) -> None:
    rollout = asked(fleet)
    decide(fleet, rollout, by=fleet.cal)
    with pytest.raises(Refused, match="is rolling back by now"):
        decide(fleet, rollout, by=fleet.cal)


def test_a_right_that_was_taken_away_counts(fleet: Fleet) -> None:
    rollout = asked(fleet)
    remove_perm("rollback_rollout", fleet.ola, fleet.pool)
    with pytest.raises(Refused, match="ola asked for this and may not roll back any more"):
        decide(fleet, rollout, by=fleet.cal)
    remove_perm("approve_rollout", fleet.cal, fleet.pool)
    with pytest.raises(Refused, match="You may not refuse to roll back"):
        decide(fleet, rollout, by=fleet.cal, yes=False)


def test_the_yes_is_bound_to_the_exact_gateways(fleet: Fleet) -> None:
    rollout = asked(fleet)
    first = fleet.upgrades(rollout)[0]
    type(first).objects.filter(pk=first.pk).update(old_retired_at=fleet.now(), state="done")
    with pytest.raises(Refused, match="have changed since it was asked"):
        decide(fleet, rollout, by=fleet.cal)
    rollout.refresh_from_db()
    assert (rollout.state, rollout.back_request.state) == ("held", "void")  # type: ignore[union-attr]  # it was asked
    with pytest.raises(Refused):
        decide(fleet, rollout, by=fleet.cal)


def test_a_question_that_nobody_answered_is_asked_again(fleet: Fleet) -> None:
    rollout = asked(fleet)
    fleet.seconds += timedelta(hours=3).total_seconds()
    approvals.expire(now=fleet.now())
    with pytest.raises(Refused, match="expired"):
        decide(fleet, rollout, by=fleet.cal)
    fleet.act("roll_back", rollout)
    decide(fleet, rollout, by=fleet.cal)
    assert rollout.state == "rolling_back"


def test_resume_takes_the_question_back(fleet: Fleet) -> None:
    rollout = asked(fleet)
    fleet.act("resume", rollout)
    assert (rollout.state, rollout.back_request.state) == ("draining", "void")  # type: ignore[union-attr]  # it was asked


def test_after_the_old_slots_are_gone_it_starts_the_old_release_again(fleet: Fleet) -> None:
    rollout = draining(fleet)
    fleet.sign_out_all()
    fleet.until(rollout, "done")
    fleet.act("roll_back", rollout, reason="memory grows")
    assert rollout.state == "done"
    assert "the old slots of 3 gateways are retired" in rollout.back_request.summary["because"]  # type: ignore[union-attr]
    decide(fleet, rollout, by=fleet.cal)
    fleet.until(rollout, "rolled_back")
    assert set(serving(fleet).values()) == {OLD}
    for gateway in fleet.machines.values():
        place = gateway.machine.steering.committed
        assert place is not None
        assert gateway.machine.weights() == {place.slot: 100}
