"""What goes wrong on a gateway ends in a state a person understands, and nobody loses a session by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleet.gateways.machine import Faults
from tests.db.upgrader.world import NEW, OLD, Fleet
from upgrader.models import Rollout


def canary(fleet: Fleet) -> Faults:
    """The gateway that goes first: all have as many users, so the name decides."""
    return fleet.machines["gw-1"].faults


def full(faults: Faults) -> None:
    faults.disk_full = True


def away(faults: Faults) -> None:
    faults.unreachable = True


def edited(faults: Faults) -> None:
    faults.conf_changed = True


def not_starting(faults: Faults) -> None:
    faults.start_failed.add(NEW)


def refusing(faults: Faults) -> None:
    faults.bad_logins_after[NEW] = 0


HOLDS: list[tuple[Callable[[Faults], None], str]] = [
    (full, "1 MB free"),
    (away, "Asked 6 times"),
    (edited, "ocserv.conf"),
    (not_starting, "ended at once"),
    (refusing, "login probe"),
]


@pytest.mark.parametrize(("fault", "word"), HOLDS, ids=[fault.__name__ for fault, _ in HOLDS])
def test_it_is_held_with_the_sentence_and_nobody_is_cut(
    fleet: Fleet, fault: Callable[[Faults], None], word: str
) -> None:
    fault(canary(fleet))
    rollout = fleet.until(fleet.started(), "held", seconds=120)
    assert rollout.reason.startswith("gw-1: ")
    assert word in rollout.reason
    assert fleet.machines["gw-1"].machine.cut == []
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}


def test_resume_tries_again_when_the_reason_is_gone(fleet: Fleet) -> None:
    canary(fleet).disk_full = True
    rollout = fleet.until(fleet.started(), "held", seconds=120)
    canary(fleet).disk_full = False
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion")


def observed(fleet: Fleet) -> Rollout:
    rollout = fleet.started()
    fleet.turn(5)
    return rollout


def test_a_slot_that_dies_under_observation_is_rolled_back(fleet: Fleet) -> None:
    canary(fleet).dies_after[NEW] = 10
    rollout = fleet.until(fleet.started(), "rolled_back", seconds=60)
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}
    assert "gw-1" in rollout.waves.get(number=1).reason


def test_a_reboot_during_the_trial_is_believed(fleet: Fleet) -> None:
    rollout = observed(fleet)
    fleet.machines["gw-1"].reboot()
    fleet.until(rollout, "rolled_back", seconds=60)
    assert "no longer runs" in rollout.waves.get(number=1).reason


def test_cut_off_for_longer_than_the_trial_the_gateway_decides(fleet: Fleet) -> None:
    rollout = observed(fleet)
    canary(fleet).unreachable = True
    fleet.turn(90)
    fleet.machines["gw-1"].machine.advance(fleet.seconds)
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}
    canary(fleet).unreachable = False
    fleet.until(rollout, "rolled_back", seconds=60)
    assert "went back to 1.1.6-3 by itself" in rollout.waves.get(number=1).reason


def test_silence_is_no_evidence_and_waits_for_a_person(fleet: Fleet) -> None:
    rollout = observed(fleet)
    canary(fleet).unreachable = True
    fleet.until(rollout, "waiting_promotion", seconds=60)
    assert "No answer from gw-1" in rollout.reason


def test_clocks_that_differ_by_an_hour_do_not_matter(fleet: Fleet) -> None:
    canary(fleet).clock_offset = 3600
    fleet.until(fleet.started(), "waiting_promotion")


def test_lost_answers_are_asked_again(fleet: Fleet) -> None:
    canary(fleet).lose_answers = 3
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    assert fleet.machines["gw-1"].machine.effects["start"] == 1
    assert rollout.release.name == NEW


def test_back_on_the_old_release_means_all_of_them(fleet: Fleet) -> None:
    canary(fleet).bad_logins_after[NEW] = 3
    fleet.until(fleet.started(), "rolled_back", seconds=90)
    places = [gateway.machine.steering.committed for gateway in fleet.machines.values()]
    assert [place.release for place in places if place] == [OLD] * 3
