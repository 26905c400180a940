"""An emergency does not wait for yesterday's drain: three slots at once, each with its users."""

from __future__ import annotations

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.vpn import Vpn
from tests.gateway.ocgate.door import Door, slots_of, started
from tests.gateway.ocgate.guests import answers, lost, sign_in

SECOND, THIRD = "1.3.0-2", "1.5.0-1"


def states(door: Door) -> list[tuple[str, int]]:
    return [(slot["state"], slot["sessions"]) for slot in door.ask("facts")["slots"]]


def test_a_third_slot_takes_over_while_the_first_drains(lab: Lab, gateway: Gateway, door: Door) -> None:
    before = lost(lab)
    started(door, lab.releases[SECOND], 2)
    door.ask("shift", weights={"2": 100}, seconds=600)
    door.ask("commit", slot=2)
    second = sign_in(lab, gateway, 242)
    started(door, lab.releases[THIRD], 3)
    door.ask("shift", weights={"2": 50, "3": 50}, seconds=600)
    door.ask("shift", weights={"3": 100}, seconds=600)
    third = sign_in(lab, gateway, 243)
    door.ask("commit", slot=3)
    assert states(door) == [("draining", 4), ("draining", 1), ("serving", 1)]
    assert lost(lab) == before
    for guest in (second, third):
        reconnects(guest)
        assert answers(guest, gateway.at.inside)
        assert sorted(s["slot"] for s in gateway.sessions() if s["user"] == "guest1") == [2, 3]
    check_the_way_back(lab, gateway, door)
    second.stop()
    third.stop()


def reconnects(guest: Vpn) -> None:
    guest.corner.cut()
    wait_until(lambda: "reconnect" in [what for _, what in guest.events()], seconds=40, what="A reconnect")


def check_the_way_back(lab: Lab, gateway: Gateway, door: Door) -> None:
    """Back from the third goes to the second, not to the first; who sits where he sits stays."""
    assert door.refused("retire", slot=3, cut_at_most=100) == "slot_busy"
    back = door.ask("restore", to="previous")
    assert (back["slot"], back["release"], back["started"]) == (2, SECOND, False)
    assert states(door) == [("draining", 4), ("serving", 1), ("draining", 1)]
    assert door.ask("restore", to="previous")["already"]
    fourth = sign_in(lab, gateway, 244)
    assert states(door)[1] == ("serving", 2)
    fourth.stop()
    assert len(door.ask("retire", slot=3, cut_at_most=1)["cut"]) == 1
    assert {slot for user, slot in slots_of(gateway).items() if user != "guest1"} == {1}
