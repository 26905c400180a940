"""Probe hosts on their page and on the gateway's: what they find, and how one asks for another."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.test import Client

from approvals.models import Request
from fleet.models import Gateway, Probe, ProbeHost, ProbeReading
from tests.scenes import scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
SAY = "probe-berlin failed at user name and password: Login failed."


def gateway() -> Gateway:
    """One of a rollout's; the scene is played once a test."""
    there = Gateway.objects.order_by("pk").first()
    return there or Gateway.objects.get(pk=scene("observing").upgrades(1)[0].gateway_id)


def host(one: Gateway) -> ProbeHost:
    """A host that was refused last and had been well before."""
    where = {"address": "192.0.2.40", "seen_from": "192.0.2.40", "key_kind": "ssh-ed25519", "key": KEY}
    made = ProbeHost.objects.create(name="probe-berlin", pool=one.pool, say="It was away.", **where)
    at, values = time.time() - 30, {"login_ms": 1234.0, "handshake_ms": 41.0, "slot": 2, "release": "1.3.0-2"}
    last = {"outcome": "refused", "say": SAY, "failures": 2, "values": values}
    Probe.objects.create(host=made, gateway=one, at=at, due_at=at + 60, **last)
    for place in range(4):
        counts = {"tried": 1, "failed": int(place == 0), "banned": 0, "sent": 10, "lost": int(place == 1)}
        columns = {"span": ProbeReading.ONE, "at": int(at) - place, "login_ms": 500.0, **counts}
        ProbeReading.objects.create(gateway=one, host=made, **columns)
    return made


def words(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_the_gateways_page_says_what_is_seen_from_outside(browse: Browse) -> None:
    one = gateway()
    host(one)
    page = browse("auditor").get(f"/gateways/{one.pk}/")
    assert_clean(page)
    shown = ("Refused", SAY, "1,234 ms", "500 ms", "3 of 4 good", "2.5 %", "slot 2 · 1.3.0-2", "2 failures in a row.")
    for text in shown:
        assert text in words(page), text


def test_without_a_host_the_gateways_page_leads_to_them(browse: Browse) -> None:
    page = browse("auditor").get(f"/gateways/{gateway().pk}/")
    assert "No machine outside signs in at it" in words(page)


def test_what_is_old_is_not_shown_as_news(browse: Browse) -> None:
    one = gateway()
    host(one)
    Probe.objects.update(at=time.time() - 4000, due_at=time.time() - 3900)
    text = words(browse("auditor").get(f"/gateways/{one.pk}/probes/"))
    assert "Nothing newer has come since." in text
    assert "Unknown" in text


def test_the_page_of_hosts_shows_them_to_who_may_look(browse: Browse) -> None:
    host(gateway())
    page = browse("auditor").get("/probes/")
    assert_clean(page)
    for text in ("probe-berlin", "It was away. This says nothing about the gateways.", "SHA256:", SAY):
        assert text in words(page), text
    assert "probe-berlin" not in words(browse("stranger").get("/probes/"))
    assert "/probes/" in words(browse("auditor").get("/gateways/"))


def asked(client: Client, **other: object) -> Any:
    said = {"name": "probe-oslo", "pool": gateway().pool_id, "where": "192.0.2.41", "key": f"ssh-ed25519 {KEY}"}
    return client.post("/probes/add/", {**said, "why": "a look from Oslo", **other})


def test_a_host_is_asked_for_once(browse: Browse) -> None:
    for _ in range(2):
        asked(browse("operator"))
    request = Request.objects.get(kind="probehost.add")
    assert (request.requested_by.username, request.summary["why"]) == ("operator", "a look from Oslo")
    assert not ProbeHost.objects.exists()


def test_what_can_not_be_read_is_refused_and_nothing_typed_is_lost(browse: Browse) -> None:
    page = asked(browse("operator"), where="192.0.2.41:door", fetch="http://10.0.0.5/100k")
    assert page.status_code == 409
    assert "is not USER@ADDRESS:PORT." in words(page)
    assert "http://10.0.0.5/100k" in words(page)
    assert not Request.objects.filter(kind="probehost.add").exists()


def test_without_the_right_there_is_no_form_and_no_question(browse: Browse) -> None:
    one = host(gateway())
    assert "/probes/add/" not in words(browse("auditor").get("/probes/"))
    assert asked(browse("auditor")).status_code == 409
    assert browse("auditor").post(f"/probes/{one.pk}/remove/", {"why": "x"}).status_code == 409
    assert browse("stranger").post(f"/probes/{one.pk}/remove/", {"why": "x"}).status_code == 404
    assert not Request.objects.filter(kind__startswith="probehost").exists()


def test_one_is_let_go_by_two_people(browse: Browse) -> None:
    one = host(gateway())
    browse("operator").post(f"/probes/{one.pk}/remove/", {"why": "sold"})
    assert Request.objects.get(kind="probehost.remove").summary["why"] == "sold"
    assert ProbeHost.objects.exists()


def test_both_are_asked_by_post_only(browse: Browse) -> None:
    assert browse("operator").get("/probes/add/").status_code == 405
    assert browse("operator").get("/probes/1/remove/").status_code == 405


def test_what_hosts_found_over_time_is_a_chart_and_a_table(browse: Browse) -> None:
    one = gateway()
    host(one)
    found = browse("auditor").get(f"/gateways/{one.pk}/probes/charts/?hours=1").json()
    for say in ("Sign-ins that fail: 25.0 % on probe-berlin.", "Until signed in: 500.0 ms", "Packets lost: 2.5 %"):
        assert say in found["say"]
    texts = [note["text"] for note in found["figure"]["layout"]["annotations"]]
    assert "alert above 5000 ms" in texts
    assert "alert above 10 %" in texts
    assert any(trace["meta"].get("band") for trace in found["figure"]["data"])
    page = browse("auditor").get(f"/gateways/{one.pk}/probes/numbers/?hours=1")
    assert_clean(page)
    assert "probe-berlin" in words(page)
    assert "500.0 ms" in words(page)
