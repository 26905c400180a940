"""Promoting: the next wave, all that are left, the next share by hand; recorded, refused where it makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent, User
from tests.db.upgrader.test_ways_around import with_spec
from tests.db.upgrader.world import Fleet
from upgrader import services
from upgrader.models import Rollout
from upgrader.states import R, W

THREE = [{"title": name, "count": 1, "weights": [100]} for name in ("one", "two", "three")]


def promote(fleet: Fleet, rollout: Rollout, *, by: User | None = None, **more: Any) -> None:
    rollout.refresh_from_db()
    said: dict[str, Any] = {"reason": "", "through": 0} | more
    seen, who = rollout.version, fleet.who(by or fleet.ola)
    services.promote(rollout, actor=who, seen_version=seen, now=fleet.now(), **said)
    rollout.refresh_from_db()


def waiting(fleet: Fleet) -> Rollout:
    """The first of three waves passed, the second waits for a person."""
    with_spec(fleet, waves=THREE)
    return fleet.until(fleet.started(), R.WAITING_PROMOTION)


def shared(fleet: Fleet) -> Rollout:
    """The first of two shares passed, the second waits for a person."""
    with_spec(fleet, shares="hand")
    return fleet.until(fleet.started(), R.WAITING_PROMOTION)


def test_all_that_are_left_need_no_other_word(fleet: Fleet) -> None:
    rollout = waiting(fleet)
    promote(fleet, rollout, through=3)
    assert (rollout.state, rollout.promoted_to, rollout.reason) == (R.UPGRADING, 3, "Waves to 3 were promoted.")
    fleet.until(rollout, R.DRAINING)
    moves = AuditEvent.objects.filter(verb="rollout.moved", subject=f"rollout:{rollout.pk}")
    assert [event.reason for event in moves if event.actor == "ola"][-1] == "Waves to 3 were promoted."


def test_one_at_a_time_each_waits_again(fleet: Fleet) -> None:
    rollout = waiting(fleet)
    promote(fleet, rollout)
    assert fleet.until(rollout, R.WAITING_PROMOTION).reason == "Wave 2 passed. Wave 3 waits for a person."
    assert rollout.promoted_to == 2


def test_a_wave_that_was_promoted_ahead_still_needs_its_pass(fleet: Fleet) -> None:
    rollout = waiting(fleet)
    promote(fleet, rollout, through=3)
    for name in ("gw-2", "gw-3"):
        fleet.machines[name].faults.bad_logins_after[fleet.release.name] = 3
    fleet.until(rollout, R.ROLLED_BACK)
    assert [wave.state for wave in rollout.waves.all()] == [W.PASSED, W.ROLLED_BACK, W.PLANNED]


def test_the_next_share_goes_by_hand(fleet: Fleet) -> None:
    rollout = shared(fleet)
    assert rollout.reason.startswith("Wave 1 passed at share 1 of 2. The next waits for a person.")
    fleet.turn(30)
    rollout.refresh_from_db()
    assert (rollout.state, rollout.waves.all()[0].stage) == (R.WAITING_PROMOTION, 0)
    promote(fleet, rollout)
    assert (rollout.state, rollout.waves.all()[0].stage) == (R.UPGRADING, 1)
    fleet.turn(3)
    assert fleet.machines["gw-1"].machine.weights() == {2: 100}


def test_nothing_the_second_time(fleet: Fleet) -> None:
    rollout = shared(fleet)
    version = rollout.version
    promote(fleet, rollout)
    with pytest.raises(Refused, match="The page you saw is old"):
        services.promote(
            rollout, actor=fleet.who(fleet.cal), seen_version=version, reason="", now=fleet.now(), through=0
        )
    with pytest.raises(Refused, match="is upgrading; there is nothing to promote"):
        promote(fleet, rollout)


def test_without_the_right_nothing_goes_on(fleet: Fleet) -> None:
    rollout = shared(fleet)
    with pytest.raises(Refused, match="You may not promote"):
        promote(fleet, rollout, by=fleet.ada)
    assert rollout.waves.all()[0].stage == 0
