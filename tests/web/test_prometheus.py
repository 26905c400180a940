"""Prometheus on its page and on the gateway's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.test import Client

from fleet import sealed
from fleet.models import Gateway, OutsideReading, PrometheusSource
from tests.scenes import scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def gateway() -> Gateway:
    """One of a rollout's; the scene is played once a test."""
    there = Gateway.objects.order_by("pk").first()
    return there or Gateway.objects.get(pk=scene("observing").upgrades(1)[0].gateway_id)


def source(one: Gateway, *, ago: float = 10) -> PrometheusSource:
    """It answered so many seconds ago, and told of this gateway."""
    now = time.time()
    OutsideReading.objects.create(gateway=one, at=int(now - ago), sessions=42, cpu_percent=71.25)
    told = {"asked_at": now, "answered_at": now - ago, "say": "It was away." if ago > 120 else ""}
    return PrometheusSource.objects.create(name="prom-eu", pool=one.pool, url="https://p.example.org", **told)


def words(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_the_gateways_page_has_its_values_and_its_charts(browse: Browse) -> None:
    one = gateway()
    source(one)
    page = browse("auditor").get(f"/gateways/{one.pk}/")
    assert_clean(page)
    for text in ("From Prometheus", "42 users", "71.2 %", f"/gateways/{one.pk}/prometheus/cpu_percent/?hours=6"):
        assert text in words(page), text
    assert "A sign-in, mean" not in words(page), "what it has no series of is no row"
    drawn = browse("auditor").get(f"/gateways/{one.pk}/prometheus/cpu_percent/?hours=6").json()
    assert drawn["figure"]["data"][0]["y"] == [71.25]
    assert browse("auditor").get(f"/gateways/{one.pk}/prometheus/rm/").status_code == 404


def test_a_source_that_is_quiet_shows_no_old_value_as_news(browse: Browse) -> None:
    one = gateway()
    source(one, ago=300)
    text = words(browse("auditor").get(f"/gateways/{one.pk}/prometheus/"))
    assert "Prometheus has not answered for 5 min. It was away. This says nothing about the gateways." in text
    assert "42 users" not in text


def test_a_stranger_sees_neither(browse: Browse) -> None:
    one = gateway()
    source(one)
    assert "prom-eu" in words(browse("auditor").get("/prometheus/"))
    assert "prom-eu" not in words(browse("stranger").get("/prometheus/"))
    assert browse("stranger").get(f"/gateways/{one.pk}/prometheus/").status_code == 404


def sent(client: Client, **other: object) -> Any:
    said = {"name": "prom-eu", "pool": gateway().pool_id, "url": "https://p.example.org", "token": "s3cret"}
    return client.post("/prometheus/set/", {**said, **other})


def test_one_is_named_with_a_token_that_is_never_shown(browse: Browse) -> None:
    assert sent(browse("operator")).status_code == 302
    assert sent(browse("operator"), token="", label="gateway").status_code == 302
    assert sealed.unseal_or_none("prometheus:prom-eu") == b"s3cret"
    text = words(browse("operator").get("/prometheus/"))
    assert "with a token." in text
    assert "s3cret" not in text
    sent(browse("operator"), token="", no_token="on")
    assert sealed.unseal_or_none("prometheus:prom-eu") is None


def test_a_bad_one_is_refused_and_nothing_typed_is_lost(browse: Browse) -> None:
    page = sent(browse("operator"), url="ftp://p", query_sessions="sum(x)")
    assert (page.status_code, PrometheusSource.objects.count()) == (409, 0)
    assert_clean(page)
    assert "ftp://p" in words(page)
    assert "sum(x)" in words(page)
    assert "s3cret" not in words(page)


def test_without_the_right_nothing_is_set_or_dropped(browse: Browse) -> None:
    one = source(gateway())
    assert "/prometheus/set/" not in words(browse("auditor").get("/prometheus/"))
    assert sent(browse("auditor"), url="https://other.example.org").status_code == 409
    assert browse("auditor").post(f"/prometheus/{one.pk}/drop/").status_code == 409
    assert browse("stranger").post(f"/prometheus/{one.pk}/drop/").status_code == 404
    assert PrometheusSource.objects.get().url == "https://p.example.org"


def test_it_is_dropped_once_and_by_post_only(browse: Browse) -> None:
    one = source(gateway())
    assert browse("operator").get(f"/prometheus/{one.pk}/drop/").status_code == 405
    assert browse("operator").get("/prometheus/set/").status_code == 405
    assert browse("operator").post(f"/prometheus/{one.pk}/drop/").status_code == 302
    assert browse("operator").post(f"/prometheus/{one.pk}/drop/").status_code == 404
    assert not PrometheusSource.objects.exists()
