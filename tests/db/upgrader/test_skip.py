"""A gateway that is left out of a rollout: nothing of ours stays on it, and the rollout goes on without it."""

from __future__ import annotations

import pytest

from approvals.errors import Refused
from tests.db.upgrader.test_in_place import started
from tests.db.upgrader.test_one_gateway import ask, of, stuck
from tests.db.upgrader.world import OLD, SPEC, Fleet
from upgrader.models import Rollout


def test_skip_a_planned_one_and_the_rollout_ends_without_it(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    ask(fleet, "skip", rollout, "gw-3", reason="its disk is being changed")
    assert (of(rollout, "gw-3").state, of(rollout, "gw-3").reason) == ("skipped", "its disk is being changed")
    fleet.act("promote", rollout)
    fleet.until(rollout, "draining")
    fleet.sign_out_all()
    assert fleet.until(rollout, "done").state == "done"
    assert fleet.machines["gw-3"].machine.steering.committed.release == OLD  # type: ignore[union-attr]  # it serves


def test_skip_one_that_failed_takes_it_back_first(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    ask(fleet, "skip", rollout, "gw-1")
    assert of(rollout, "gw-1").state == "rolling_back"
    fleet.turn(3)
    assert of(rollout, "gw-1").state == "skipped"
    fleet.machines["gw-1"].faults.disk_full = False
    fleet.act("resume", rollout)
    assert fleet.until(rollout, "waiting_promotion").state == "waiting_promotion"


def test_skip_one_under_observation_sends_new_users_to_the_old_release(fleet: Fleet) -> None:
    rollout = fleet.started()
    fleet.turn(8)
    assert of(rollout, "gw-1").state == "observing"
    ask(fleet, "skip", rollout, "gw-1")
    fleet.turn(3)
    assert of(rollout, "gw-1").state == "skipped"
    place = fleet.machines["gw-1"].machine.steering.committed
    assert place is not None
    assert (place.release, fleet.machines["gw-1"].machine.weights()) == (OLD, {place.slot: 100})
    assert fleet.machines["gw-1"].machine.cut == []


def test_one_that_was_taken_back_is_not_taken_in_again(fleet: Fleet) -> None:
    rollout = stuck(fleet)
    ask(fleet, "skip", rollout, "gw-1")
    fleet.turn(3)
    with pytest.raises(Refused, match="gw-1 was taken back already"):
        ask(fleet, "take_in", rollout, "gw-1")


def test_two_rollouts_that_are_in_each_others_way_name_the_way_out(fleet: Fleet) -> None:
    """Each carries a gateway on which the other failed, for it "already serves" the release."""
    older, younger = (in_turn(fleet, first) for first in ("gw-1", "gw-2"))
    for rollout in (older, younger):
        started(fleet, rollout)
        fleet.until(rollout, "waiting_promotion", seconds=90)
    for rollout in (older, younger):
        fleet.act("promote", rollout)
    fleet.turn(5)
    assert (of(older, "gw-2").state, of(younger, "gw-1").state) == ("failed", "failed")
    with pytest.raises(Refused, match=f"Rollout {older.pk} works on gw-2 now. Wait for it, or skip gw-2 there."):
        fleet.act("roll_back", younger)
    ask(fleet, "skip", older, "gw-2")
    fleet.turn(3)
    fleet.act("roll_back", younger)
    assert fleet.until(younger, "rolled_back", seconds=60).state == "rolled_back"


def in_turn(fleet: Fleet, first: str) -> Rollout:
    """A plan that begins with this gateway."""
    fleet.strategy.spec = {**SPEC, "waves": [{"names": [first]}, {"rest": True}], "at_once": 3}
    fleet.strategy.save()
    fleet.seconds += 1
    return fleet.draft()
