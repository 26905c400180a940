"""Two pools behind one balancer: both sides agree to it, nobody names another's server, and the idle one is not out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from approvals import changes
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import balancers, idle
from fleet.balancers import AskedPeer, Place
from fleet.models import Balancer, Gateway, Pool
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
PEERS = [AskedPeer("lb-1", "192.0.2.1", "ssh-ed25519", KEY)]


@pytest.fixture
def green(ola: User, ines: User) -> Pool:
    pool = Pool.objects.create(name="green")
    assign_perm("enrol_gateway", ola, pool)
    assign_perm("approve_gateway", ines, pool)
    return pool


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "now": NOW}


def agreed(request: Request, by: User) -> Request:
    return changes.decide(request, yes=True, reason="", digest=request.digest, **who(by))


def gateway(name: str, pool: Pool, front: Balancer | None = None) -> Gateway:
    behind = {"front": front, "backend": "vpn", "servers": {"": name}} if front else {}
    return Gateway.objects.create(name=name, pool=pool, adapter="memory", address=name, sessions=3, **behind)


def said(name: str, weight: int) -> dict[str, Any]:
    server = {"slot": 0, "name": name, "admin": "ready", "up": True, "weight": weight, "sessions": 0}
    return {"peers": [{"name": "lb-1", "version": "2.6", "servers": [server]}], "differences": [], "sessions": 0}


def test_gateways_of_another_pool_need_the_balancers_people_first(ola: User, ines: User, green: Pool) -> None:
    blue, place = factories.pool(), Place("front", "vpn", {"": "green-1"})
    agreed(balancers.propose("front", blue, PEERS, **who(ola)), ines)
    row = gateway("green-1", green)
    with pytest.raises(Refused, match="The pool green has no balancer front"):
        balancers.propose_place(row, place, **who(ola))
    asked = balancers.propose("front", blue, PEERS, shared=["green"], **who(ola))
    assert "Gateways of green may stand behind it, too." in asked.summary["lines"]
    agreed(asked, ines)
    agreed(balancers.propose_place(row, place, **who(ola)), ines)
    row.refresh_from_db()
    assert row.front == Balancer.objects.get()
    asked = balancers.propose("front", blue, PEERS, **who(ola))
    with pytest.raises(Refused, match="green-1 of a pool that it would not be shared with"):
        agreed(asked, ines)


def test_it_is_shared_with_pools_that_there_are(ola: User, green: Pool) -> None:
    for name in ("nowhere", factories.pool().name):
        with pytest.raises(Refused, match="no other pool"):
            balancers.propose("front", factories.pool(), PEERS, shared=[name], **who(ola))


def test_nobody_names_anothers_server_as_his_own(ola: User, green: Pool) -> None:
    blue = factories.pool()
    front = Balancer.objects.create(name="front", pool=blue)
    front.shared_with.add(green)
    gateway("blue-1", blue, front)
    with pytest.raises(Refused, match="In the backend vpn blue-1 is a server of blue-1"):
        balancers.propose_place(gateway("green-1", green), Place("front", "vpn", {"": "blue-1"}), **who(ola))
    balancers.propose_place(gateway("green-2", green), Place("front", "other", {"": "blue-1"}), **who(ola))


@pytest.mark.parametrize(
    ("weights", "out"),
    [
        ({"blue-1": 100, "blue-2": 100, "green-1": 0, "green-2": 0}, []),
        ({"blue-1": 100, "blue-2": 0, "green-1": 0, "green-2": 0}, ["blue-2"]),
        ({"blue-1": 0, "blue-2": 0, "green-1": 0, "green-2": 0}, ["blue-1", "blue-2", "green-1", "green-2"]),
        ({"blue-1": 0, "blue-2": 0, "green-1": 100, "green-2": 0}, ["green-2"]),
    ],
)
def test_a_pool_that_stands_idle_beside_one_that_serves_is_not_drained(
    green: Pool, weights: dict[str, int], out: list[str]
) -> None:
    seen = {"gateways": {name: said(name, weight) for name, weight in weights.items()}, "say": ""}
    front = Balancer.objects.create(name="front", pool=factories.pool(), seen=seen)
    for name in weights:
        gateway(name, green if name.startswith("green") else factories.pool(), front)
    assert idle.drained() == out
