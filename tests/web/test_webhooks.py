"""Outgoing webhooks: made from the record, signed, tried again, shown, ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals import signed_webhook
from approvals.models import Actor, AuditEvent, User
from fleet.alarms.hooks import Hook
from fleet.errors import RetryLater
from tests import factories
from tests.scenes import scene
from upgrader import services
from upgrader.models import WebhookDelivery, WebhookEndpoint
from upgrader.webhooks import endpoints, outbox
from upgrader.webhooks.events import EVENTS

Browse = Callable[[str], Client]
FORM = {"name": "calendar", "url": "https://noc.example.org/hook/abcdef", "event": ["rollout.held", "rollout.done"]}
State = WebhookDelivery.State


def add(by: User, *events: str, url: str = "https://noc.example.org/hook", pool: Any = None) -> tuple[Any, str]:
    wanted = endpoints.Wanted(f"hook {WebhookEndpoint.objects.count()}", url, events or EVENTS, pool)
    return endpoints.add(wanted, by=by, actor=Actor("person", by.username, by.pk), now=timezone.now())


def clock_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def hold(people: dict[str, User], on: str = "eu-west") -> None:
    """A rollout that is put on hold now."""
    rollout = scene("observing", on=on).rollout
    rollout.refresh_from_db()
    user = people["operator"]
    factories.person("operator", factories.OPERATOR, rollout.pool)
    actor, version = Actor("person", "operator", user.pk), rollout.version
    services.hold(rollout, actor=actor, seen_version=version, reason="a look first", now=timezone.now())


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    """Another system, on loopback; it keeps what it was sent."""

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.came.append(({k.lower(): v for k, v in self.headers.items()}, body))  # type: ignore[attr-defined]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"noted")

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Door)
    server.came = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_event_reaches_the_other_system_signed(people: dict[str, User], receiver: Any, settings: Any) -> None:
    settings.ALERTS_TO = ["127.0.0.1"]
    _, secret = add(people["operator"], "rollout.held", url=f"http://127.0.0.1:{receiver.server_port}/hook")
    hold(people)
    assert outbox.sweep(timezone.now()) == 1
    sent = outbox.run(outbox.due(timezone.now())[0], clock=timezone.now)
    assert sent is not None
    assert (sent.state, sent.answer) == (State.SENT, "200 OK noted")
    headers, body = receiver.came[0]
    signed_webhook.verify([secret], headers, body, now=timezone.now().timestamp())
    said = json.loads(body)
    assert (said["type"], said["data"]["by"], said["data"]["reason"]) == ("rollout.held", "operator", "a look first")


def test_each_event_is_told_once_and_only_to_whom_it_concerns(people: dict[str, User]) -> None:
    every, _ = add(people["operator"])
    mine, _ = add(people["operator"], pool=factories.pool("us-east"))
    hold(people, on="eu-north")
    later = timezone.now()
    assert (outbox.sweep(later) > 0, outbox.sweep(later)) == (True, 0)
    told = set(every.deliveries.values_list("event", flat=True))
    assert {"rollout.held", "rollout.drafted"} <= told
    assert not mine.deliveries.exists()
    assert outbox.catch_up(every, now=later) == 0  # a worker that saw the endpoint before


def test_who_does_not_answer_is_tried_again_and_can_be_asked_again(people: dict[str, User]) -> None:
    row, _ = add(people["operator"], "rollout.held")
    actor, now = Actor("person", "operator", people["operator"].pk), timezone.now()
    delivery = endpoints.trial(row, by=people["operator"], actor=actor, now=now)
    seen: list[Hook] = []

    def silent(hook: Hook) -> str:
        seen.append(hook)
        raise RetryLater("nobody there")

    for turn in range(outbox.TRIES):
        at = now + timedelta(hours=2 * turn)
        assert outbox.run(delivery.pk, clock=clock_at(at), sender=silent)
        assert outbox.claim(delivery.pk, now=at) is None  # it waits for its next turn
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.answer) == (State.FAILED, outbox.TRIES, "nobody there")

    def noted(hook: Hook) -> str:
        seen.append(hook)
        return "noted"

    outbox.send_again(delivery, actor=actor, now=now)
    again = outbox.run(delivery.pk, clock=timezone.now, sender=noted)
    assert again is not None
    assert (again.state, len({hook.headers["webhook-id"] for hook in seen})) == (State.SENT, 1)


def test_the_page_adds_shows_once_tries_and_ends(browse: Browse) -> None:
    shown = browse("operator").post("/webhooks/add/", FORM).content.decode()
    row = WebhookEndpoint.objects.get()
    assert ("whsec_" in shown, row.hint, row.events) == (True, "noc.example.org", ["rollout.done", "rollout.held"])
    assert "whsec_" not in browse("operator").get("/webhooks/").content.decode()
    body = AuditEvent.objects.get(verb="webhook.added").body
    assert ("whsec_" in body, "abcdef" in body) == (False, False)
    assert browse("operator").get(f"/webhooks/{row.pk}/end/").status_code == 405
    assert [browse("operator").post(f"/webhooks/{row.pk}/test/").status_code for _ in range(2)] == [302, 302]
    assert row.deliveries.count() == 1
    assert [browse("operator").post(f"/webhooks/{row.pk}/end/").status_code for _ in range(2)] == [302, 302]
    assert AuditEvent.objects.filter(verb="webhook.ended").count() == 1
    dropped = outbox.run(row.deliveries.get().pk, clock=timezone.now, sender=lambda _: "noted")
    assert dropped is not None
    assert dropped.state == State.DROPPED


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": "https://169.254.169.254/latest"}, "nothing is ever sent there"),
        ({"url": "https://10.0.0.1/"}, "is a private address"),
        ({"url": "ftp://noc.example.org/"}, "https://HOST/PATH"),
        ({"event": []}, "at least one event"),
        ({"event": ["rollout.exploded"]}, "no event rollout.exploded"),
        ({"name": ""}, "Give it a name"),
    ],
)
def test_what_is_wrong_is_said(browse: Browse, change: dict[str, Any], says: str) -> None:
    answer = browse("operator").post("/webhooks/add/", FORM | change)
    assert (answer.status_code, says in answer.content.decode()) == (409, True)
    assert not WebhookEndpoint.objects.exists()


def test_without_the_right_there_is_nothing(browse: Browse, people: dict[str, User]) -> None:
    row, _ = add(people["operator"])
    assert browse("oncall").post("/webhooks/add/", FORM).status_code == 409
    assert browse("oncall").post(f"/webhooks/{row.pk}/end/").status_code == 404
    assert row.name not in browse("auditor").get("/webhooks/").content.decode()
