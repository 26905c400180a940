"""A real gateway behind two real HAProxies that choose the slot and say who comes (PROXY protocol)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.commands import wait_until
from lab.fleet import Lab
from tests.gateway.traffic.site import FrontedFleet, on_slots, sign_in, sign_out
from upgrader.states import R

STRANGER = 150  # the last byte of an address on the wan
SERVERS = {"1": "gw1-1", "2": "gw1-2", "3": "gw1-3"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=1, users=4, say=lambda _text: None, kind="proxied") as standing:
        yield standing


def test_the_gateway_knows_its_users_addresses(lab: Lab) -> None:
    sign_in(lab, "user1", "user2")
    remotes = {session["user"]: session["remote"] for session in lab.gateways[0].sessions()}
    assert remotes == {client.user: client.vpn.corner.address for client in lab.clients.all if client.vpn.connected}


def test_a_rollback_finds_everybody_where_he_was(lab: Lab, controller: None) -> None:
    fleet = FrontedFleet(lab, SERVERS, observe_seconds=600)
    fleet.take()
    sign_out(lab, "user4")
    newcomer = lab.clients.all[3]
    newcomer.vpn.corner.move(STRANGER)  # the balancers remember where he was
    ids = {session["id"] for session in lab.gateways[0].sessions()}
    rollout = fleet.started()
    assert rollout.plan["cut"] == 0
    fleet.work_until(lambda: fleet.steps("observe").exists(), what="The shift")
    lab.clients.all[0].cut()
    sign_in(lab, "user4")
    wait_until(lambda: on_slots(lab) == {"user1": 1, "user2": 1, "user3": 1, "user4": 2}, seconds=40, what="Both sides")
    # The same client stays on its side, through either balancer and over an outage.
    newcomer.cut()
    wait_until(lambda: newcomer.vpn.connected, seconds=40, what="The way back of user4")
    assert on_slots(lab)["user4"] == 2
    sign_out(lab, "user4")
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.work_until(lambda: fleet.fresh(rollout).state == R.ROLLED_BACK, what="The way back")
    sign_in(lab, "user4")
    assert set(on_slots(lab).values()) == {1}
    assert ids <= {session["id"] for session in lab.gateways[0].sessions()}


def test_it_goes_through_and_a_balancer_that_dies_is_set_again(lab: Lab, controller: None) -> None:
    fleet = FrontedFleet(lab, SERVERS)
    fleet.take()
    before = sessions(lab)
    rollout = fleet.started()
    fleet.work_until(lambda: fleet.steps("observe").exists(), what="The shift")
    lab.balancers[1].kill()
    lab.balancers[1].start()
    fleet.go(rollout, R.DRAINING)
    assert [weights(one.tell("show servers state vpn")) for one in lab.balancers] == [[0, 100, 0]] * 2
    # Whom its death cut off finds his slot through it again, although nobody new is sent there.
    wait_until(lambda: sessions(lab) == before, seconds=90, what="The way back of all")


def sessions(lab: Lab) -> dict[str, tuple[str, int]]:
    """User → session and slot, by occtl."""
    return {session["user"]: (session["id"], session["slot"]) for session in lab.gateways[0].sessions()}


def weights(states: str) -> list[int]:
    header, *rows = [line for line in states.splitlines()[1:] if line]
    column = header[2:].split().index("srv_uweight")
    return [int(row.split(" ")[column]) for row in rows]
