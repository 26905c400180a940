"""Pages that say no, or that they can't: each names the request and a way on. And the undo of a hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.test import Client

from approvals.errors import Refused
from approvals.models import AuditEvent
from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader import search
from upgrader.models import Rollout
from upgrader.views.errors import too_large

Browse = Callable[[str], Client]


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (OperationalError("gone"), (503, "Users stay on", 'href="/readyz"')),
        (ValueError("a bug"), (500, "Something broke", 'href="/"')),
        (Refused("Li was faster."), (409, "Li was faster.", 'href="/"')),
        (RequestDataTooBig("long"), (413, "at most 8 MiB", 'href="/releases/add/"')),
        (SuspiciousOperation("odd"), (400, "not understood", 'href="/"')),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_says_what_happened_and_a_way_on(
    browse: Browse, monkeypatch: pytest.MonkeyPatch, fault: Exception, answer: tuple[int, str, str]
) -> None:
    status, says, way_on = answer

    def fails(*_: object) -> list[object]:
        raise fault

    monkeypatch.setattr(search, "search", fails)
    client = browse("oncall")
    client.raise_request_exception = False
    page = client.get("/search/", {"q": "x"})
    assert page.status_code == status
    assert_clean(page)
    text = page.content.decode()
    assert says in text
    assert way_on in text
    assert "Request <span" in text
    assert page.headers.get("Retry-After") == ("10" if status == 503 else None)


def test_a_page_that_is_missing_offers_the_search(browse: Browse) -> None:
    assert b'action="/search/"' in browse("oncall").get("/nowhere/").content
    assert b'action="/search/"' not in Client().get("/nowhere/").content
    assert "2 GiB" in too_large()


def test_a_hold_is_undone_at_once_by_who_held(browse: Browse) -> None:
    rollout = scene("observing").rollout
    browse("operator").post(f"/rollouts/{rollout.pk}/hold/", {"version": rollout.version})
    held = Rollout.objects.get(pk=rollout.pk)
    address = f"/rollouts/{rollout.pk}/"
    assert b'id="undo"' in browse("operator").get(address).content
    assert b'id="undo"' not in browse("oncall").get(address).content
    Rollout.objects.filter(pk=rollout.pk).update(since=held.since - timedelta(seconds=11))
    assert b'id="undo"' not in browse("operator").get(address).content
    said = {"version": held.version, "reason": "The hold was undone at once."}
    assert browse("operator").post(f"{address}resume/", said).status_code == 302
    assert Rollout.objects.get(pk=rollout.pk).state == "upgrading"
    assert AuditEvent.objects.filter(subject=f"rollout:{rollout.pk}").latest("seq").reason == said["reason"]
