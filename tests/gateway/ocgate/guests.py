"""Guests who come while a test runs, and what the users of the lab have lost and still reach."""

from __future__ import annotations

import subprocess
import time

from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway
from lab.spaces import Corner
from lab.tally import GRACE
from lab.vpn import Account, Vpn

_came: list[Vpn] = []


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
    _came.append(vpn)
    vpn.start()
    wait_until(lambda: vpn.connected or not vpn.running, seconds=40, what="The guest's sign-in")
    assert vpn.connected, vpn.said
    return vpn


def all_leave() -> None:
    """Sign those out whom a test that failed has left behind."""
    while _came:
        _came.pop().stop()


def end_sessions(gateway: Gateway, users: list[str]) -> None:
    """End what slot 1 holds of these users: who was in an outage when he left could not sign out."""
    gateway.run(["sh", "-c", END_SESSIONS, "sh", *users])


END_SESSIONS = """
exe=$(readlink "/proc/$(cat /run/ocgate/1/ocserv.pid)/exe") || exit 0 # nothing runs there
for user; do "${exe%/sbin/*}/bin/occtl" -s /run/ocgate/1/occtl.sock disconnect user "$user" || true; done
"""


def answers(vpn: Vpn, address: str) -> bool:
    """Does `address` answer a ping through the tunnel?"""
    ping = ["ping", "-c", "1", "-W", "1", "-n", address]
    return subprocess.run([*vpn.corner.enter(), *ping], capture_output=True, check=False).returncode == 0
