"""What goes wrong on a gateway ends in a state a person understands, and nobody loses a session by it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from approvals.errors import Refused
from fleet import services
from fleet.gateways.machine import Faults
from fleet.models import Gateway
from releases import repository
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
    assert rollout.reason.startswith("gw-1")
    assert rollout.reason.count("gw-1:") <= 1, "its name twice"
    assert word in rollout.reason
    assert "resume" in rollout.reason.lower(), "nothing says what to do"
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
    fleet.watch_for(20)
    canary(fleet).dies_after[NEW] = 10
    rollout = fleet.until(fleet.started(), "rolled_back", seconds=60)
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}
    assert "gw-1" in rollout.waves.get(number=1).reason


def test_a_reboot_during_the_trial_is_believed(fleet: Fleet) -> None:
    rollout = observed(fleet)
    fleet.machines["gw-1"].reboot()
    fleet.until(rollout, "rolled_back", seconds=60)
    said = rollout.waves.get(number=1).reason
    assert said.startswith("gw-1 rebooted, and every session on it ended with that, 4 sessions from before the rollout")
    assert rollout.reason.endswith("It serves 1.1.6-3 again; its users sign in anew.")


def test_a_slot_that_dies_before_anybody_is_sent_there_holds_the_rollout(fleet: Fleet) -> None:
    canary(fleet).dies_after[NEW] = 1
    rollout = fleet.started()
    fleet.until_step(rollout, "shift")
    fleet.seconds += 2
    fleet.until(rollout, "held", seconds=10)
    assert f"{NEW} ended by itself in slot 2 of gw-1 soon after its start. No user was sent there." in rollout.reason
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back", seconds=10)
    assert fleet.machines["gw-1"].machine.cut == []


def test_a_bundle_that_was_cut_short_is_not_sent_until_it_is_whole(fleet: Fleet) -> None:
    bundle = repository.path_of(fleet.release.bundle)
    bundle.write_bytes(b"bun")
    rollout = fleet.until(fleet.started(), "held", seconds=20)
    assert rollout.reason == (
        f"gw-1: The bundle of {NEW} in the repository has 3 of 6 bytes, so nothing was sent."
        " Add the release again, then resume."
    )
    bundle.write_bytes(b"bundle")
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion")


def test_a_gateway_in_quarantine_holds_the_rollout_until_it_is_pinned(fleet: Fleet) -> None:
    rollout = observed(fleet)
    row = Gateway.objects.get(name="gw-1")
    services.quarantine(row, reason="It shows another host key.", actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.until(rollout, "held", seconds=60)
    assert rollout.reason == "gw-1 is quarantined. Look at its host key, then resume."
    with pytest.raises(Refused, match="gw-1 is quarantined"):
        fleet.act("resume", rollout)
    pin = [("ssh-ed25519", base64.b64encode(b"\0\0\0\x0bssh-ed25519 key").decode())]
    services.pin(row, host_keys=pin, actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.act("resume", rollout)
    fleet.until(rollout, "waiting_promotion")


def test_a_reboot_while_old_slots_drain_is_counted(fleet: Fleet) -> None:
    rollout = fleet.until(fleet.started(), "waiting_promotion")
    fleet.turn(5)
    fleet.machines["gw-1"].reboot()
    fleet.turn(5)
    canary = fleet.upgrades(rollout)[0]
    assert (canary.gateway.name, canary.state, canary.kept, len(canary.before)) == ("gw-1", "done", 0, 4)
    said = canary.steps.get(name="drain").result["say"]
    assert said == (
        "Slot 1 of gw-1 ended by a reboot or a crash with 4 users on it. Their sessions are lost; they sign in anew."
    )


def test_an_edit_while_it_is_observed_disturbs_nobody(fleet: Fleet) -> None:
    rollout = observed(fleet)
    canary(fleet).conf_changed = True
    fleet.until(rollout, "waiting_promotion")
    assert fleet.machines["gw-1"].machine.cut == []
    fleet.act("roll_back", rollout)
    fleet.until(rollout, "rolled_back")


def test_cut_off_for_longer_than_the_trial_the_gateway_decides(fleet: Fleet) -> None:
    rollout = observed(fleet)
    canary(fleet).unreachable = True
    fleet.turn(90)
    fleet.machines["gw-1"].machine.advance(fleet.seconds)
    assert fleet.machines["gw-1"].machine.weights() == {1: 100}
    canary(fleet).unreachable = False
    fleet.until(rollout, "rolled_back", seconds=60)
    said = "gw-1 heard nothing from us for 60 s and went back to 1.1.6-3 by itself, as agreed; no session was touched."
    assert rollout.waves.get(number=1).reason == said


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
