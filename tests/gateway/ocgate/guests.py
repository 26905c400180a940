"""Guests who come while a test runs, and what the users of the lab have lost."""

from __future__ import annotations

import time

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.spaces import Corner
from lab.tally import GRACE
from lab.vpn import Account, Vpn


def lost(lab: Lab) -> dict[str, int]:
    """Packets lost so far, by user, when every one that was sent has had time to come back."""
    # Less than GRACE, and a loss from before would be counted among what comes next.
    time.sleep(GRACE + 0.3)
    return {row["user"]: row["lost"] for row in lab.clients.report()}


def sign_in(lab: Lab, gateway: Gateway, host: int, *, server: str = "") -> Vpn:
    """A guest comes from address `host`; returns when the tunnel is up."""
    corner = Corner(lab.clients.networks, f"t{host}", host)
    corner.up()
    account = Account("guest1", lab._passwords["guest1"], server or gateway.public)
    vpn = Vpn(corner, account, folder=lab.place.folder / "clients", ca=lab.authority.certificate)
    vpn.start()
    wait_until(lambda: vpn.connected or not vpn.running, seconds=25, what="The guest's sign-in")
    assert vpn.connected, vpn.last_words
    return vpn
