"""Each thing a person may ask for: works, records who and why, and is refused with a sentence where it must be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from guardian.shortcuts import assign_perm

from approvals.errors import Refused
from approvals.models import AuditEvent, User
from fleet.models import Gateway
from tests.db.upgrader.world import Fleet
from upgrader import services
from upgrader.models import Rollout

Ready = Callable[[Fleet], Rollout]


def upgrading(fleet: Fleet) -> Rollout:
    rollout = fleet.started()
    fleet.turn(3)
    return rollout


def waiting(fleet: Fleet) -> Rollout:
    return fleet.until(fleet.started(), "waiting_promotion")


def held(fleet: Fleet) -> Rollout:
    rollout = upgrading(fleet)
    fleet.act("hold", rollout)
    return rollout


ACTIONS: list[tuple[str, Ready, str]] = [
    ("promote", waiting, "upgrading"),
    ("hold", upgrading, "held"),
    ("resume", held, "upgrading"),
    ("roll_back", upgrading, "rolling_back"),
]
each = pytest.mark.parametrize(("action", "ready", "state"), ACTIONS, ids=[name for name, _, _ in ACTIONS])


@each
def test_works_and_records_who_and_why(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = ready(fleet)
    fleet.act(action, rollout, reason="lunch peak is over")
    assert rollout.state == state
    event = AuditEvent.objects.filter(verb="rollout.moved", subject=f"rollout:{rollout.pk}").latest("seq")
    assert (event.actor, event.reason) == ("ola", "lunch peak is over")


@each
def test_refused_without_the_right(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = ready(fleet)
    with pytest.raises(Refused, match="You may not .* on eu-west"):
        fleet.act(action, rollout, by=fleet.ada)


@each
def test_a_superuser_has_no_right_that_was_not_granted(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = ready(fleet)
    root = User.objects.create(username="root", is_superuser=True)
    with pytest.raises(Refused, match="You may not"):
        fleet.act(action, rollout, by=root)


@each
def test_refused_in_the_wrong_state_which_is_named(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = fleet.draft()
    with pytest.raises(Refused, match="planned and not submitted"):
        fleet.act(action, rollout)


@each
def test_refused_from_an_old_page(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = ready(fleet)
    with pytest.raises(Refused, match="The page you saw is old"):
        getattr(services, action)(
            rollout, actor=fleet.who(fleet.ola), seen_version=rollout.version - 1, reason="x", now=fleet.now()
        )


@each
def test_the_second_time_does_nothing(fleet: Fleet, action: str, ready: Ready, state: str) -> None:
    rollout = ready(fleet)
    fleet.act(action, rollout)
    events = AuditEvent.objects.count()
    with pytest.raises(Refused):
        fleet.act(action, rollout)
    assert AuditEvent.objects.count() == events


def test_submit_asks_and_does_not_start(fleet: Fleet) -> None:
    rollout = fleet.draft()
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    fleet.turn(30)
    rollout.refresh_from_db()
    assert rollout.state == "waiting_approval"
    assert not fleet.open_steps()


def decide(fleet: Fleet, rollout: Rollout, by: User, *, yes: bool = True, digest: str = "") -> None:
    rollout.refresh_from_db()
    services.decide(
        rollout, yes=yes, reason="no", digest=digest or rollout.digest, actor=fleet.who(by), now=fleet.now()
    )


def submitted(fleet: Fleet) -> Rollout:
    rollout = fleet.draft()
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    return rollout


def test_nobody_approves_his_own_though_he_has_the_right(fleet: Fleet) -> None:
    rollout = submitted(fleet)
    assign_perm("approve_rollout", fleet.ola, fleet.pool)
    with pytest.raises(Refused, match="yourself"):
        decide(fleet, rollout, fleet.ola)


def test_an_approval_is_bound_to_what_was_shown(fleet: Fleet) -> None:
    with pytest.raises(Refused):
        decide(fleet, submitted(fleet), fleet.cal, digest="f" * 64)


def test_a_rejected_rollout_never_starts(fleet: Fleet) -> None:
    rollout = submitted(fleet)
    decide(fleet, rollout, fleet.cal, yes=False)
    fleet.turn(10)
    rollout.refresh_from_db()
    assert rollout.state == "rejected"
    assert not fleet.open_steps()


def test_a_plan_that_was_changed_after_the_yes_is_held(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    Rollout.objects.filter(pk=rollout.pk).update(plan=rollout.plan | {"pool": "us-east"})
    with pytest.raises(Refused, match="not the one that was approved"):
        fleet.act("promote", rollout)


def test_a_gateway_that_left_the_pool_does_not_stop_the_others(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    other = type(fleet.pool).objects.create(name="us-east")
    Gateway.objects.filter(name="gw-3").update(pool=other)
    fleet.act("promote", rollout)
    assert rollout.state == "upgrading"


def test_a_plan_whose_gateways_all_left_is_refused(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    Gateway.objects.update(pool=type(fleet.pool).objects.create(name="us-east"))
    with pytest.raises(Refused, match="Every gateway of this plan left the pool"):
        fleet.act("promote", rollout)


def test_a_right_withdrawn_since_takes_the_yes_with_it(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.cal.is_active = False
    fleet.cal.save()
    with pytest.raises(Refused):
        fleet.act("promote", rollout)
