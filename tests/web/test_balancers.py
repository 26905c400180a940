"""The page of balancers: who stands there, what its peers say, and where they disagree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client

from approvals.models import Request
from fleet.models import Balancer, BalancerPeer, Gateway
from tests.scenes import scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
DIFFERENCE = "gw-1: lb-1 says ready with weight 100, lb-2 says drain with weight 100."


def front() -> Balancer:
    gateway = Gateway.objects.get(pk=scene("observing").upgrades(1)[0].gateway_id)
    server = {"slot": 0, "name": "gw-1", "admin": "drain", "up": False, "weight": 100, "sessions": 7}
    said = {"peers": [{"name": "lb-2", "servers": [server]}], "differences": [DIFFERENCE], "sessions": 7}
    balancer = Balancer.objects.create(name="front", pool=gateway.pool, seen={"gateways": {gateway.name: said}})
    where = {"address": "192.0.2.1", "key_kind": "ssh-ed25519", "key": KEY}
    BalancerPeer.objects.create(balancer=balancer, name="lb-2", **where, shut="lb-2 shows another key.")
    Gateway.objects.filter(pk=gateway.pk).update(front=balancer)
    return balancer


def test_the_page_shows_servers_sessions_and_what_differs(browse: Browse) -> None:
    front()
    page = browse("auditor").get("/balancers/")
    assert_clean(page)
    text = page.content.decode()
    for shown in ("front", DIFFERENCE, "lb-2 shows another key.", "drain · down", "SHA256:", '<td class="n"'):
        assert shown in " ".join(text.split()), shown


def test_a_stranger_sees_none_of_it(browse: Browse) -> None:
    front()
    assert DIFFERENCE not in browse("stranger").get("/balancers/").content.decode()


def test_the_page_of_gateways_leads_there(browse: Browse) -> None:
    assert "/balancers/" not in browse("auditor").get("/gateways/").content.decode()
    front()
    assert "/balancers/" in browse("auditor").get("/gateways/").content.decode()


PEER = f"lb-1=hagate@192.0.2.1:22,ssh-ed25519,{KEY}"


def asked(client: Client, **other: object) -> Any:
    pool = Gateway.objects.get(pk=scene("observing").upgrades(1)[0].gateway_id).pool_id
    return client.post("/balancers/add/", {"name": "front", "pool": pool, "peers": PEER, "why": "a site", **other})


def test_a_balancer_is_asked_for_on_the_page(browse: Browse) -> None:
    asked(browse("operator"))
    request = Request.objects.get(kind="balancer.add")
    assert (request.requested_by.username, request.summary["why"]) == ("operator", "a site")
    assert not Balancer.objects.exists()
    asked(browse("operator"))
    assert Request.objects.filter(kind="balancer.add").count() == 1


def test_what_can_not_be_read_is_refused_with_the_line(browse: Browse) -> None:
    page = asked(browse("operator"), peers="lb-1 at 192.0.2.1")
    assert page.status_code == 409
    assert "is not NAME=USER@ADDRESS:PORT,KIND,KEY." in page.content.decode()
    assert not Request.objects.filter(kind="balancer.add").exists()


def test_without_the_right_there_is_no_form_and_no_question(browse: Browse) -> None:
    assert "/balancers/add/" not in browse("auditor").get("/balancers/").content.decode()
    assert asked(browse("auditor")).status_code == 409
    assert not Request.objects.filter(kind="balancer.add").exists()


def test_it_is_asked_by_post_only(browse: Browse) -> None:
    assert browse("operator").get("/balancers/add/").status_code == 405
