"""One gateway of a rollout: tried again, left out, taken in again."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent, User
from tests.db.upgrader.world import OLD, Fleet
from upgrader import services
from upgrader.models import Rollout, Upgrade


def ask(fleet: Fleet, action: str, rollout: Rollout, name: str, *, by: User | None = None, reason: str = "x") -> None:
    rollout.refresh_from_db()
    upgrade = of(rollout, name)
    getattr(services, action)(
        *(rollout, upgrade.pk),
        **{"actor": fleet.who(by or fleet.ola), "seen_version": rollout.version, "reason": reason, "now": fleet.now()},
    )
    rollout.refresh_from_db()


def of(rollout: Rollout, name: str) -> Upgrade:
    return Upgrade.objects.get(wave__rollout=rollout, gateway__name=name)


def stuck(fleet: Fleet) -> Rollout:
    """The canary's disk is full: the rollout is held for it."""
    fleet.machines["gw-1"].faults.disk_full = True
    return fleet.until(fleet.started(), "held")


def test_retry_goes_on_where_only_this_one_failed(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    fleet.machines["gw-1"].faults.disk_full = False
    ask(fleet, "retry", rollout, "gw-1", reason="freed 2 GB")
    assert (rollout.state, of(rollout, "gw-1").state) == ("upgrading", "upgrading")
    assert fleet.until(rollout, "waiting_promotion").state == "waiting_promotion"
    event = AuditEvent.objects.filter(verb="rollout.moved", actor="ola", reason="freed 2 GB").get()
    assert event.subject == f"rollout:{rollout.pk}"


def test_retry_twice_in_a_row_does_nothing_the_second_time(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    ask(fleet, "retry", rollout, "gw-1")
    events = AuditEvent.objects.count()
    with pytest.raises(Refused, match="gw-1 is upgrading; no step of it failed"):
        ask(fleet, "retry", rollout, "gw-1")
    assert AuditEvent.objects.count() == events


def test_retry_after_a_rollback_that_could_not_be_verified(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.machines["gw-1"].faults.bad_logins_after[OLD] = 0
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "failed")
    del fleet.machines["gw-1"].faults.bad_logins_after[OLD]
    ask(fleet, "retry", rollout, "gw-1")
    assert fleet.until(rollout, "rolled_back").state == "rolled_back"


def test_skip_wants_a_reason(fleet: Fleet) -> None:
    with pytest.raises(Refused, match="Say why gw-3 is left out"):
        ask(fleet, "skip", fleet.until(fleet.started(), "waiting_promotion"), "gw-3", reason=" ")


def test_skip_twice_from_two_browsers(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    ask(fleet, "skip", rollout, "gw-3")
    with pytest.raises(Refused, match="gw-3 is skipped already"):
        ask(fleet, "skip", rollout, "gw-3", by=fleet.cal)


@pytest.mark.parametrize("action", ["retry", "skip", "take_in"])
def test_refused_without_the_right(fleet: Fleet, action: str) -> None:
    rollout = stuck(fleet)
    with pytest.raises(Refused, match="You may not .* on eu-west"):
        ask(fleet, action, rollout, "gw-1", by=fleet.ada)


@pytest.mark.parametrize("action", ["retry", "skip", "take_in"])
def test_refused_in_the_wrong_state_which_is_named(fleet: Fleet, action: str) -> None:
    with pytest.raises(Refused, match="planned and not submitted"):
        ask(fleet, action, fleet.draft(), "gw-1")


def test_taken_in_again_it_gets_the_release(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    ask(fleet, "skip", rollout, "gw-3")
    ask(fleet, "take_in", rollout, "gw-3", reason="the disk is in")
    assert (of(rollout, "gw-3").state, of(rollout, "gw-3").reason) == ("planned", "the disk is in")
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining")
    assert of(rollout, "gw-3").state == "draining"


def test_a_gateway_of_another_rollout_is_refused(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    who, seen, now = fleet.who(fleet.ola), rollout.version, fleet.now()
    with pytest.raises(Refused, match="no part of the rollout"):
        services.skip(rollout, 999, actor=who, seen_version=seen, reason="x", now=now)
