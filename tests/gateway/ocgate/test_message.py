"""What people are shown on a slot that drains, by real ocserv of each version and a real openconnect."""

from __future__ import annotations

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.vpn import Vpn
from tests.gateway.ocgate.door import Door, bundle_of, slots_of, stage_args
from tests.gateway.ocgate.guests import sign_in

TEXT = "This gateway's upgrade is at 18:00: sign in again before (100 % safe; $0) [IT] = ok."
VERSIONS = {"1.1.6-3": 222, "1.3.0-2": 224, "1.5.0-1": 226}  # and the address of its first guest


def shown(vpn: Vpn) -> list[str]:
    """The messages that openconnect handed to its script when the tunnel came up."""
    return [line.removeprefix("connect banner: ") for line in vpn.said if line.startswith("connect banner: ")]


def comes_back(vpn: Vpn) -> None:
    """He signs out and in again, from where he came before."""
    vpn.start()
    wait_until(lambda: vpn.connected, seconds=40, what="The guest's next sign-in")


def started(lab: Lab, door: Door, release: str) -> None:
    door.ask("stage", raw=bundle_of(lab.releases[release]), **stage_args(lab.releases[release]))
    door.ask("start", release=release, slot=2)
    door.ask("shift", weights={"2": 100}, seconds=60)


@pytest.mark.parametrize("release", VERSIONS)
def test_who_signs_in_to_a_draining_slot_is_shown_it(lab: Lab, gateway: Gateway, door: Door, release: str) -> None:
    started(lab, door, release)
    guest, stays = (sign_in(lab, gateway, VERSIONS[release] + number) for number in (0, 1))
    assert door.refused("message", slot=2, text=TEXT) == "slot_busy"
    door.ask("commit", slot=1)
    ids = {session["id"] for session in gateway.sessions()}
    assert [door.ask("message", slot=2, text=TEXT)["already"] for _ in range(2)] == [False, True]
    assert {session["id"] for session in gateway.sessions()} == ids, "the reload cuts nobody"
    comes_back(guest)
    assert shown(guest) == [TEXT]
    assert slots_of(gateway)["guest1"] == 2
    assert shown(stays) == [], "who is connected sees nothing"
    # The drain is called off: whoever comes now is told nothing.
    door.ask("shift", weights={"2": 100}, seconds=60)
    wait_until(lambda: messages(door) == ["", "", ""], seconds=20, what="The end of the message")
    comes_back(guest)
    assert shown(guest) == []


def messages(door: Door) -> list[str]:
    return [slot["message"] for slot in door.ask("facts")["slots"]]


def test_a_reconnect_shows_nothing(lab: Lab, gateway: Gateway, door: Door) -> None:
    """openconnect says a banner at sign-in only: that is why the drain's deadline must not count on it."""
    started(lab, door, "1.3.0-2")
    guest = sign_in(lab, gateway, 236)
    door.ask("commit", slot=1)
    door.ask("message", slot=2, text=TEXT)
    guest.corner.cut()
    wait_until(lambda: "reconnect" in [what for _, what in guest.events()], seconds=30, what="The reconnect")
    assert not [line for line in guest.said if TEXT in line]
    guest.stop()
