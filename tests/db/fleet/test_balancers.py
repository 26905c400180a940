"""Balancers: asked by one person, confirmed by another, on the record; looked at, and shut when their key changed."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from approvals import changes
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, Request, User
from fleet import balancers, sealed, traffic
from fleet.balancers import AskedPeer, Place
from fleet.gateways.dial import HostKeyChanged
from fleet.models import Balancer, BalancerPeer, Gateway
from fleet.traffic import rows
from fleet.traffic.memory import MemoryPeer
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
PEERS = [AskedPeer("lb-1", "192.0.2.1", "ssh-ed25519", KEY), AskedPeer("lb-2", "192.0.2.2", "ssh-ed25519", KEY)]
SLOTS = {"1": "gw-1", "2": "gw-2"}


@pytest.fixture
def gateway() -> Gateway:
    return Gateway.objects.create(name="fra-gw-01", pool=factories.pool(), adapter="memory", address="x", sessions=9)


def who(user: User) -> dict[str, Any]:
    return {"by": user, "actor": Actor("person", user.username, user.pk), "now": NOW}


def agreed(request: Request, by: User) -> Request:
    return changes.decide(request, yes=True, reason="", digest=request.digest, **who(by))


def standing(gateway: Gateway, ola: User, ines: User, servers: dict[str, str]) -> Gateway:
    agreed(balancers.propose("front", factories.pool(), PEERS, **who(ola)), ines)
    agreed(balancers.propose_place(gateway, Place("front", "vpn", servers), **who(ola)), ines)
    gateway.refresh_from_db()
    return gateway


def test_two_people_add_one_and_it_is_on_the_record(ola: User, ines: User) -> None:
    asked = balancers.propose("front", factories.pool(), PEERS, why="New site", **who(ola))
    assert not Balancer.objects.exists()
    assert "192.0.2.2:22 as hagate: ssh-ed25519 SHA256:" in asked.summary["lines"][1]
    agreed(asked, ines)
    assert list(BalancerPeer.objects.values_list("name", flat=True)) == ["lb-1", "lb-2"]
    event = AuditEvent.objects.get(verb="balancer.added")
    assert event.reason == "New site"
    assert '"name":"front"' in event.body


def test_without_the_right_nobody_asks_and_nobody_agrees_with_himself(ola: User, ines: User) -> None:
    with pytest.raises(Refused):
        balancers.propose("front", factories.pool(), PEERS, **who(ines))
    asked = balancers.propose("front", factories.pool(), PEERS, **who(ola))
    with pytest.raises(Refused):
        agreed(asked, ola)


@pytest.mark.parametrize(
    "peers",
    [
        [],
        [PEERS[0], PEERS[0]],
        [AskedPeer("lb-1", "a b", "ssh-ed25519", KEY)],
        [AskedPeer("lb-1", "192.0.2.1", "ssh-dss", KEY)],
        [AskedPeer("lb-1", "192.0.2.1", "ssh-ed25519", "AAAA")],
    ],
)
def test_bad_peers_are_refused(ola: User, peers: list[AskedPeer]) -> None:
    with pytest.raises(Refused):
        balancers.propose("front", factories.pool(), peers, **who(ola))


def test_where_a_gateway_stands_decides_the_way(gateway: Gateway, ola: User, ines: User) -> None:
    assert traffic.way_of(gateway) == "handover"
    standing(gateway, ola, ines, {"": "gw"})
    assert (traffic.way_of(gateway), traffic.will_cut(gateway, left_most=4)) == ("in_place", 4)
    agreed(balancers.propose_place(gateway, Place("front", "vpn", SLOTS), **who(ola)), ines)
    gateway.refresh_from_db()
    assert (traffic.way_of(gateway), traffic.will_cut(gateway, left_most=4)) == ("proxy", 0)


def test_a_gateway_that_can_not_steer_goes_in_place_and_cuts_all(gateway: Gateway) -> None:
    gateway.facts = {"steers": False}
    assert (traffic.way_of(gateway), traffic.will_cut(gateway, left_most=4)) == ("in_place", 9)


@pytest.mark.parametrize("servers", [{}, {"1": "a"}, {"": "a", "1": "b"}, {"1": "a", "4": "b"}, {"": "a;b"}])
def test_servers_that_fit_no_gateway_are_refused(gateway: Gateway, ola: User, servers: dict[str, str]) -> None:
    Balancer.objects.create(name="front", pool=gateway.pool)
    with pytest.raises(Refused):
        balancers.propose_place(gateway, Place("front", "vpn", servers), **who(ola))


def test_one_that_is_used_is_not_forgotten(gateway: Gateway, ola: User, ines: User) -> None:
    standing(gateway, ola, ines, SLOTS)
    balancer = Balancer.objects.get()
    with pytest.raises(Refused, match="Behind front there is 1 gateway: fra-gw-01"):
        balancers.propose_removal(balancer, why="old", **who(ola))
    agreed(balancers.propose_place(gateway, Place(""), **who(ola)), ines)
    agreed(balancers.propose_removal(balancer, why="old", **who(ola)), ines)
    assert not Balancer.objects.exists()


def test_a_look_keeps_what_the_peers_say(
    gateway: Gateway, ola: User, ines: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing(gateway, ola, ines, SLOTS)
    doors = {name: MemoryPeer(name, {1: 100, 2: 0}) for name in ("lb-1", "lb-2")}
    monkeypatch.setitem(traffic.DRIVERS, "haproxy", lambda peer, *_: doors[peer.name])
    doors["lb-2"].servers[1].weight = 3
    balancer = Balancer.objects.get()
    assert balancers.look(balancer, now=NOW)
    balancer.refresh_from_db()
    (said,) = balancer.seen["gateways"]["fra-gw-01"]["differences"]
    assert said == "gw-1: lb-1 says ready with weight 100, lb-2 says ready with weight 3."


def test_a_changed_host_key_shuts_the_peer_until_it_is_pinned_anew(gateway: Gateway, ola: User, ines: User) -> None:
    standing(gateway, ola, ines, SLOTS)
    peer = BalancerPeer.objects.get(name="lb-1")
    rows._shut(peer, HostKeyChanged("lb-1 shows another key."))
    opened = traffic.open
    with pytest.raises(HostKeyChanged, match="lb-1 is shut. lb-1 shows another key."):
        opened(Gateway.objects.get(pk=gateway.pk))
    assert AuditEvent.objects.filter(verb="balancer.shut").count() == 1
    agreed(balancers.propose("front", factories.pool(), PEERS, **who(ola)), ines)
    assert not BalancerPeer.objects.exclude(shut="").exists()


def test_the_command_asks_and_makes_the_key(gateway: Gateway, ola: User, ines: User) -> None:
    said = StringIO()
    words = ["--pool", "eu-west", "--peer", f"lb-1=hagate@192.0.2.1:22,ssh-ed25519,{KEY}", "--by", "ola"]
    call_command("balancer", "add", "front", *words, stdout=said)
    agreed(Request.objects.get(kind="balancer.add"), ines)
    place = ["--balancer", "front", "--backend", "vpn", "--server", "1=gw-1", "--server", "2=gw-2", "--by", "ola"]
    call_command("balancer", "place", "fra-gw-01", *place, stdout=said)
    agreed(Request.objects.get(kind="balancer.attach"), ines)
    gateway.refresh_from_db()
    assert (gateway.backend, gateway.servers) == ("vpn", SLOTS)
    call_command("balancer", "key", stdout=said)
    assert said.getvalue().splitlines()[-1].startswith("ssh-ed25519 ")
    assert sealed.unseal(rows.BALANCER_KEY)
