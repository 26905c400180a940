"""Each request has an id: the answer's header, the log, the record and the page that says no have the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.urls import get_resolver

from approvals import trail
from approvals.models import AuditEvent
from tests.scenes import scene
from upgrader import asgi, hint, logs
from upgrader.celery import app, begin

Browse = Callable[[str], Client]


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the log says, as it is written."""
    said: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(json.loads(self.format(record)))

    keep = Keep()
    keep.setFormatter(logs.Json())
    logging.getLogger().addHandler(keep)
    yield said
    logging.getLogger().removeHandler(keep)


def test_header_log_and_record_have_the_same_id(browse: Browse, lines: list[dict[str, Any]]) -> None:
    rollout = scene("observing").rollout
    posted = {"version": rollout.version, "reason": "Users report."}
    answer = browse("operator").post(f"/rollouts/{rollout.pk}/hold/", posted)
    assert answer.status_code in (200, 302)
    told = next(line for line in lines if line["logger"] == "approvals.requests")
    assert told["message"].startswith("POST /rollouts/<int:rollout_id>/<str:path>/: ")
    assert (told["request"], told["rollout"]) == (answer[trail.HEADER], rollout.pk)
    event = AuditEvent.objects.filter(subject=f"rollout:{rollout.pk}").order_by("-seq")[0]
    assert f'"request_id":"{answer[trail.HEADER]}"' in event.body


@pytest.mark.parametrize(("path", "status"), [("/nowhere/", 404), ("/audit/", 403)])
def test_a_page_that_says_no_names_it(browse: Browse, path: str, status: int) -> None:
    page = browse("oncall").get(path)
    assert page.status_code == status
    assert f'Request <span class="mono">{page[trail.HEADER]}'.encode() in page.content


def test_two_requests_have_two_ids_and_none_is_taken_from_outside(browse: Browse) -> None:
    client = browse("operator")
    ids = {client.get("/rollouts/", headers={trail.HEADER: "made-up"})[trail.HEADER] for _ in range(2)}
    assert len(ids) == 2
    assert "made-up" not in ids


def test_a_fault_of_ours_names_it(browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    client = browse("operator")
    client.raise_request_exception = False
    page = next(one for one in get_resolver().url_patterns if getattr(one, "name", "") == "rollouts")
    monkeypatch.setattr(page, "callback", lambda request: 1 / 0)
    answer = client.get("/rollouts/")
    assert answer.status_code == 500
    assert f'Request <span class="mono">{answer[trail.HEADER]}'.encode() in answer.content


def test_what_streams_has_one_too() -> None:
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "path": "/live/", "method": "GET", "query_string": b"", "headers": []}
    async_to_sync(asgi.application)(scope, receive, send)
    assert said[0]["status"] == 401
    assert len(dict(said[0]["headers"])[b"x-request-id"]) == 32
    assert trail.told() == {}


def test_it_travels_to_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(app, "send_task", lambda *_, **said: sent.append(said["headers"]))
    with trail.about(request="abc"):
        hint.advance(1)

    class Task:
        name = "upgrader.tasks.advance"

        class request:  # noqa: N801 - as Celery calls it
            headers = sent[0]

    with trail.about():
        begin(task_id="t1", task=Task)
        assert trail.told() == {"request": "abc", "task": "advance"}


def test_under_asgi_the_line_says_the_same(lines: list[dict[str, Any]]) -> None:
    answer = async_to_sync(AsyncClient().get)("/rollouts/12/")
    told = next(line for line in lines if line["logger"] == "approvals.requests")
    assert (told["request"], told["rollout"]) == (answer[trail.HEADER], 12)
    assert trail.told() == {}
