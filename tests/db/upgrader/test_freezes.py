"""A freeze binds what begins; an emergency passes the one that its plan names, with a yes of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from approvals.errors import Refused
from approvals.models import AuditEvent
from tests.db.upgrader.world import SPEC, Fleet
from upgrader import bounds, services
from upgrader.models import Freeze, Rollout


@pytest.fixture
def frozen(fleet: Fleet) -> Freeze:
    return begin(fleet, "The fair in Hanover.")


def begin(fleet: Fleet, reason: str) -> Freeze:
    at = fleet.now()
    return Freeze.objects.create(pool=fleet.pool, reason=reason, starts_at=at, made_by=fleet.ada, made_at=at)


def emergency(fleet: Fleet, frozen: Freeze) -> Rollout:
    """An emergency patch that is drafted under the freeze and submitted."""
    fleet.strategy.spec = SPEC | {"emergency": True}
    fleet.strategy.save()
    rollout = fleet.draft()
    assert rollout.plan["passes"] == [frozen.pk]
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()
    return rollout


def approve(fleet: Fleet, rollout: Rollout) -> None:
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    rollout.refresh_from_db()


def test_what_is_approved_under_a_freeze_begins_when_it_is_lifted(fleet: Fleet, frozen: Freeze) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    rollout.refresh_from_db()
    assert rollout.waits.startswith("eu-west is frozen until somebody lifts it, by ada: The fair in Hanover.")
    assert all(upgrade.state == "planned" for upgrade in fleet.upgrades(rollout))
    Freeze.objects.filter(pk=frozen.pk).update(lifted_at=fleet.now())
    fleet.until(rollout, "waiting_promotion")


def test_an_ordinary_plan_passes_no_freeze(fleet: Fleet, frozen: Freeze) -> None:
    assert list(fleet.draft().plan["passes"]) == []


def test_an_emergency_goes_on_through_the_freeze_it_names(fleet: Fleet, frozen: Freeze) -> None:
    assign_perm("pass_freeze", fleet.cal, fleet.pool)
    rollout = emergency(fleet, frozen)
    approve(fleet, rollout)
    fleet.until(rollout, "waiting_promotion")
    event = AuditEvent.objects.get(verb="freeze.passed")
    assert (event.subject, event.actor) == (f"rollout:{rollout.pk}", "cal")
    assert "The fair in Hanover." in event.reason


def test_without_the_right_a_yes_is_refused_with_the_freeze(fleet: Fleet, frozen: Freeze) -> None:
    rollout = emergency(fleet, frozen)
    with pytest.raises(Refused, match=r"EMERGENCY: .*The fair in Hanover.*You lack the right .*pass.* on eu-west"):
        approve(fleet, rollout)
    rollout.refresh_from_db()
    assert rollout.state == "waiting_approval"
    assert not AuditEvent.objects.filter(verb__in=["freeze.passed", "approval.approved"]).exists()


def test_who_may_not_pass_a_freeze_may_say_no(fleet: Fleet, frozen: Freeze) -> None:
    rollout = emergency(fleet, frozen)
    actor = fleet.who(fleet.cal)
    services.decide(rollout, yes=False, reason="It can wait.", digest=rollout.digest, actor=actor, now=fleet.now())
    fleet.until(rollout, "rejected")


def test_a_freeze_that_came_after_the_approval_is_not_passed(fleet: Fleet, frozen: Freeze) -> None:
    assign_perm("pass_freeze", fleet.cal, fleet.pool)
    rollout = emergency(fleet, frozen)
    begin(fleet, "Another one.")
    approve(fleet, rollout)
    fleet.turn(3)
    rollout.refresh_from_db()
    assert "Another one." in rollout.waits
    assert all(upgrade.state == "planned" for upgrade in fleet.upgrades(rollout))


def test_a_right_that_was_taken_away_takes_the_yes_with_it(fleet: Fleet, frozen: Freeze) -> None:
    assign_perm("pass_freeze", fleet.cal, fleet.pool)
    rollout = emergency(fleet, frozen)
    approve(fleet, rollout)
    remove_perm("pass_freeze", fleet.cal, fleet.pool)
    fleet.until(rollout, "held")
    assert "cal approved this, but has lost the right" in rollout.reason


def test_gateways_in_hand_are_finished_when_a_freeze_begins_and_then_it_is_held(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.until_step(rollout, "start")
    begin(fleet, "The fair in Hanover.")
    fleet.until(rollout, "held", seconds=200)
    assert "The fair in Hanover." in rollout.reason
    states = [upgrade.state for upgrade in fleet.upgrades(rollout)]
    assert "upgrading" not in states
    assert "planned" in states


def test_a_rollback_asks_no_freeze(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.until_step(rollout, "start")
    begin(fleet, "The fair in Hanover.")
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, "rolled_back")


def wait_say(fleet: Fleet, rollout: Rollout) -> str:
    return bounds.wait_say(rollout.plan, fleet.pool.pk, now=fleet.now())


def test_before_the_yes_it_is_said_when_it_would_begin(fleet: Fleet, frozen: Freeze) -> None:
    rollout = fleet.draft()
    say = "It may be approved now and begins by itself"
    assert wait_say(fleet, rollout).endswith(f"{say} once that is over.")
    Freeze.objects.update(ends_at=fleet.now() + timedelta(hours=2))
    assert wait_say(fleet, rollout).endswith(f"{say} at 05:00 UTC.")
    Freeze.objects.update(ends_at=fleet.now() + timedelta(days=8))
    assert "A yes given now may be used until 30 Nov 03:00 UTC only: submit it later." in wait_say(fleet, rollout)
    Freeze.objects.all().delete()
    assert wait_say(fleet, rollout) == ""
