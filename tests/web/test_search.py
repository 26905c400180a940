"""Search everywhere: what is found, by whom, and at which cost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import AuditEvent, User
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean
from upgrader import search

Browse = Callable[[str], Client]


@pytest.fixture
def made() -> Scene:
    return scene("observing")


def titles(user: User, text: str) -> list[str]:
    return [found.title for found in search.search(user, text)]


def test_things_are_found_by_name_address_number_and_digest(made: Scene) -> None:
    oncall, rollout = made.people["oncall"], made.rollout
    assert titles(oncall, "fra-gw-01")[0] == "fra-gw-01"
    assert titles(oncall, "ams-gw-02.example")[0] == "ams-gw-02"
    assert titles(oncall, f"rollout {rollout.pk}")[0].startswith(f"Rollout {rollout.pk}:")
    assert titles(oncall, rollout.digest[:8])[0].startswith("Rollout")
    assert titles(oncall, rollout.release.sha256[:12]) == ["ocserv 1.3.0-2"]
    assert "operator" in titles(oncall, "operat")
    assert titles(oncall, "bounds") == ["Bounds"]
    assert titles(oncall, " ") == titles(oncall, "no such thing") == []


def test_events_are_for_who_may_read_the_record(made: Scene) -> None:
    event = AuditEvent.objects.order_by("seq")[2]
    for text in (f"event {event.seq}", event.hash[:10]):
        assert titles(made.people["auditor"], text)[0].startswith(f"Event {event.seq}: ")
        assert not any(title.startswith("Event") for title in titles(made.people["oncall"], text))


def test_nobody_finds_what_he_may_not_see(browse: Browse, made: Scene) -> None:
    for text in ("fra-gw-01", f"rollout {made.rollout.pk}", "1.3.0-2", "eu-west", "operator", made.rollout.digest):
        assert titles(made.people["stranger"], text) == []
        page = browse("stranger").get("/search/", {"q": text})
        assert b"Nothing that you may see fits" in page.content


@pytest.mark.parametrize("text", ["fra", "12", "abcdef12", "a"])
def test_a_search_asks_six_times_at_most(made: Scene, text: str) -> None:
    for name in ("auditor", "oncall"):
        with CaptureQueriesContext(connection) as asked:
            search.search(made.people[name], text)
        assert len(asked) <= search.QUERIES_MOST, [query["sql"] for query in asked]


def test_the_page_and_its_part(browse: Browse, made: Scene) -> None:
    page = browse("oncall").get("/search/", {"q": "<fra>"})
    assert_clean(page)
    assert b"<fra>" not in page.content
    part = browse("oncall").get("/search/", {"q": "fra"}, headers={"HX-Request": "true", "HX-Target": "found"})
    assert b"<html" not in part.content
    assert b"/gateways/" in part.content
    assert browse("oncall").get("/search/").status_code == 200


def test_keys_lead_to_pages_and_press_nothing(browse: Browse) -> None:
    text = browse("auditor").get("/search/").content.decode()
    dialog = text.partition("<dialog")[2].partition("</dialog>")[0]
    assert 'data-keys="g r"' in dialog
    assert f'data-keys="g a" href="{reverse("audit")}"' in dialog
    assert 'method="post"' not in dialog
    assert 'data-keys="g a"' not in browse("oncall").get("/search/").content.decode()
