"""A real gateway without nft behind two real HAProxies: drained, replaced, ready; every user who is cut is counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from approvals import names
from fleet.models import Gateway
from lab.clients import Client
from lab.commands import wait_until
from lab.fleet import Lab
from tests.db.upgrader.world import NEW, OLD
from tests.gateway.traffic.site import FrontedFleet, on_slots, sign_in, sign_out
from upgrader import services
from upgrader.states import R


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(gateways=1, users=3, say=lambda _text: None, kind="balanced") as standing:
        yield standing


def test_it_drains_in_front_and_is_replaced(lab: Lab, controller: None) -> None:
    fleet = FrontedFleet(lab, {"": "gw1"}, drain={"deadline_hours": 1, "sessions_max": 1})
    fleet.take()
    rollout = fleet.started()
    assert rollout.plan["cut"] == 1
    fleet.work_until(lambda: "3 users still on gw1" in fleet.said("drain_front"), what="The drain")
    assert [fleet_state(one.tell("show servers state vpn")) for one in lab.balancers] == ["8", "8"]
    # Who belongs there comes back through a balancer that drains; one that is restarted drains on.
    client_of(lab, "user3").cut()
    sign_out(lab, "user2")
    lab.balancers[1].kill()
    lab.balancers[1].start()
    wait_until(lambda: client_of(lab, "user3").vpn.connected, seconds=40, what="The way back of user3")
    assert on_slots(lab) == {"user1": 1, "user3": 1}
    sign_out(lab, "user1")
    fleet.go(rollout, R.DONE)
    upgrade = fleet.upgrade(rollout)
    assert set(names.behind(user for _, user in upgrade.cut).values()) == {"user3"}
    assert [fleet_state(one.tell("show servers state vpn")) for one in lab.balancers] == ["0", "0"]
    sign_in(lab, "user1", "user2")
    assert serves(lab) == NEW


def test_a_rollback_in_place_counts_whom_it_cuts(lab: Lab, controller: None) -> None:
    fleet = FrontedFleet(lab, {"": "gw1"}, drain={"deadline_hours": 1}, observe_seconds=600)
    fleet.take(OLD)
    sign_out(lab, "user1", "user2")
    rollout = fleet.started()
    fleet.work_until(lambda: fleet.steps("observe").exists(), what="The old release in place")
    sign_in(lab, "user1", "user2")
    assert serves(lab) == OLD
    fleet.work_until(lambda: Gateway.objects.get(name="gw1").sessions == 2, what="Both in what the gateway says")
    fleet.act("roll_back", rollout)
    request = rollout.back_request
    assert request is not None
    who, said = fleet.who(fleet.cal), "Two users, seen."
    services.decide_back(rollout, yes=True, reason=said, digest=request.digest, actor=who, now=fleet.now())
    fleet.go(rollout, R.ROLLED_BACK)
    assert set(names.behind(user for _, user in fleet.upgrade(rollout).cut).values()) == {"user1", "user2"}
    sign_in(lab, "user1")
    assert serves(lab) == NEW


def client_of(lab: Lab, user: str) -> Client:
    return next(client for client in lab.clients.all if client.user == user)


def fleet_state(states: str) -> str:
    """srv_admin_state of the backend's one server."""
    header, row = states.splitlines()[1:3]
    return dict(zip(header[2:].split(), row.split(" "), strict=False))["srv_admin_state"]


def serves(lab: Lab) -> str:
    """The release that runs on the gateway, by its process."""
    folders = {session["folder"] for session in lab.gateways[0].sessions()}
    return folders.pop().rpartition("/")[2] if len(folders) == 1 else str(folders)
