"""The gateway's page: how the gateway stands, its charts, and the same as a table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from fleet.metrics.store import insert
from fleet.models import Gateway, Reading, Watch
from tests.db.fleet.metrics.test_rollup import COLUMNS
from tests.scenes import scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


@pytest.fixture
def gateway() -> Gateway:
    return scene("observing").upgrades(1)[0].gateway


def fill(gateway: Gateway, *, gap: bool = False) -> None:
    """Twenty minutes of readings of two slots; `gap`: without the five in the middle."""
    now, rows = int(time.time()), []
    for at in range(now - 1200, now, 5):
        if gap and -750 < at - now < -450:
            continue
        values = {"failures": 1, "rtt_ms": 42.0, "seconds": 5.0, "sessions": 7, "rss_bytes": 64 * 1024 * 1024}
        for slot, release in ((1, "1.1.6-3"), (2, "1.3.0-2")):
            place = {"gateway_id": gateway.pk, "span": 5, "at": at, "slot": slot, "release": release}
            rows.append({**dict.fromkeys(COLUMNS), **place, **values})
    insert(Reading, rows, skip=True)


def chart(browse: Browse, gateway: Gateway, hours: int = 1) -> dict[str, Any]:
    answer = browse("operator").get(f"/gateways/{gateway.pk}/charts/?hours={hours}")
    found: dict[str, Any] = json.loads(answer.content)
    return found


def lines(figure: dict[str, Any], axis: str) -> dict[str, list[float | None]]:
    """Name → values of the lines in one of the charts, without bands and limits."""
    return {one["name"]: one["y"] for one in figure["data"] if one["yaxis"] == axis and one.get("name")}


SAID = ("100.0 % on slot 1 · 1.1.6-3", "42.0 ms on slot 2 · 1.3.0-2", "64 MiB on slot 1", "Users: 7 on slot 1")


def test_charts_have_a_line_a_slot_with_its_band(browse: Browse, gateway: Gateway) -> None:
    fill(gateway)
    found = chart(browse, gateway)
    drawn = lines(found["figure"], "y4")
    assert {name: line[-1] for name, line in drawn.items()} == {"slot 1 · 1.1.6-3": 42.0, "slot 2 · 1.3.0-2": 42.0}
    bands = [one for one in found["figure"]["data"] if one["yaxis"] == "y4" and one["meta"].get("band")]
    assert [one["y"][-1] for one in bands] == [42.0] * 4, "the lowest and the highest of each"
    assert all(say in found["say"] for say in SAID)
    assert not found["empty"]


def test_above_which_value_people_are_called_is_a_line(browse: Browse, gateway: Gateway) -> None:
    layout = chart(browse, gateway)["figure"]["layout"]
    texts = [note["text"] for note in layout["annotations"]]
    assert "alert above 400 ms" in texts
    assert "alert above 2048 MiB" in texts


def test_a_gap_is_a_gap(browse: Browse, gateway: Gateway) -> None:
    fill(gateway, gap=True)
    assert [line.count(None) for line in lines(chart(browse, gateway)["figure"], "y4").values()] == [1, 1]


def test_what_was_never_measured_is_said(browse: Browse, gateway: Gateway) -> None:
    found = chart(browse, gateway)
    assert (found["empty"], found["say"]) == (True, "Nothing was measured yet.")


def test_the_table_says_the_same(browse: Browse, gateway: Gateway) -> None:
    fill(gateway)
    page = browse("operator").get(f"/gateways/{gateway.pk}/numbers/?hours=1")
    assert_clean(page)
    for cell in (b"100.0 %", b"42.0 ms", b"64 MiB", "slot 2 · 1.3.0-2".encode()):
        assert cell in page.content
    empty = browse("operator").get(f"/gateways/{gateway.pk}/numbers/?hours=nonsense")
    assert b"the last 1 h" in empty.content


STANDS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "Gateway down": (b"asked 3 times: No route.", {"misses": 3, "say": "No route."}),
    "Not measured": (b"This says nothing about the gateway.", {"asked_at": 5.0}),
    "No traffic": (b"its numbers are no evidence", {"used_at": 5.0}),
    "Slot silent": (b"nothing is known of it", {"slots": {}}),
    "Measured": (b"answered", {}),
}


@pytest.mark.parametrize("word", STANDS)
def test_the_page_says_how_it_stands(browse: Browse, gateway: Gateway, word: str) -> None:
    say, change = STANDS[word]
    now = time.time()
    told = {str(slot["slot"]): {"at": now} for slot in gateway.facts["slots"]}
    fresh: dict[str, Any] = {"asked_at": now, "answered_at": now, "used_at": now, "slots": told}
    Watch.objects.create(gateway=gateway, **{**fresh, **change})
    page = browse("operator").get(f"/gateways/{gateway.pk}/")
    assert_clean(page)
    readings = page.content[page.content.index(b'id="readings"') :]
    assert word.encode() in readings
    assert say in readings


def test_a_banned_probe_is_not_a_gateway_that_is_down(browse: Browse, gateway: Gateway) -> None:
    now = time.time()
    told = {str(slot["slot"]): {"at": now, "banned_ours": 1} for slot in gateway.facts["slots"]}
    Watch.objects.create(gateway=gateway, asked_at=now, answered_at=now, used_at=now, slots=told)
    part = browse("operator").get(f"/gateways/{gateway.pk}/readings/?hours=6", headers={"HX-Request": "true"})
    assert b"Probe banned" in part.content
    assert b"says nothing about users" in part.content


def test_without_a_collector_the_page_says_so(browse: Browse, gateway: Gateway, settings: Any) -> None:
    settings.COLLECT_SECONDS = 0
    page = browse("operator").get(f"/gateways/{gateway.pk}/readings/")
    assert b"HANDOVER_COLLECT_SECONDS is 0" in page.content


def test_a_chart_takes_few_queries(
    browse: Browse, gateway: Gateway, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fill(gateway)
    client = browse("operator")
    # Session, user, who may see it, the gateway, the rules; then spans and readings of both slots.
    with django_assert_max_num_queries(16):
        client.get(f"/gateways/{gateway.pk}/charts/")
