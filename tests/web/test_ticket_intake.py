"""The door for the NOC's systems."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import Actor, AuditEvent
from fleet.models import Ticket, TicketSource
from fleet.tickets import services
from fleet.tickets.api import BODY_MOST
from tests import factories

PATH = "/api/tickets/noc/"


@pytest.fixture
def token() -> str:
    people = factories.cast()
    wish = services.Wish("noc", "json", factories.pool(), "")
    by = people["operator"]
    actor = Actor(kind="person", name="operator", user_id=by.pk)
    return services.add_source(wish, by=by, actor=actor, why="The NOC's desk", now=timezone.now())[1]


def post(body: Any, token: str = "", path: str = PATH) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client = Client(enforce_csrf_checks=True)
    return client.post(path, raw, content_type="application/json", headers=headers)


def test_a_complaint_is_taken_once(token: str) -> None:
    first = post({"id": "INC-1", "user": "alice", "text": "slow"}, token)
    assert (first.status_code, first.json()) == (201, {"new": 1, "known": 0})
    again = post({"id": "INC-1", "user": "alice", "text": "still slow"}, token)
    assert (again.status_code, again.json()) == (200, {"new": 0, "known": 1})
    ticket = Ticket.objects.get()
    assert (ticket.user, ticket.text, ticket.reported_by) == ("alice", "slow", "noc:noc")
    event = AuditEvent.objects.get(verb="ticket.reported")
    assert (event.actor, event.subject) == ("machine:noc:noc", f"ticket:{ticket.pk}")


def test_one_that_is_known_may_be_closed_and_once(token: str) -> None:
    post({"id": "INC-1"}, token)
    for _ in range(2):
        assert post({"id": "INC-1", "closed": True}, token).json() == {"new": 0, "known": 1}
    assert Ticket.objects.get().closed_at is not None
    assert AuditEvent.objects.filter(verb="ticket.closed").count() == 1


@pytest.mark.parametrize("sent", ["", "wrong", "handover-noc-"])
def test_a_wrong_token_is_refused(token: str, sent: str) -> None:
    answer = post({"id": "1"}, sent)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert post({"id": "1"}, token, "/api/tickets/other/").status_code == 401
    assert not Ticket.objects.exists()


def test_a_token_is_kept_as_its_hash_and_is_worth_nothing_after_its_end(token: str) -> None:
    assert token not in str(TicketSource.objects.values().get())
    assert not [event for event in AuditEvent.objects.all() if token in event.body]
    TicketSource.objects.update(ended_at=timezone.now())
    assert post({"id": "1"}, token).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", {"user": "alice"}, 7])
def test_what_is_no_complaint_is_refused_with_a_sentence(token: str, body: Any) -> None:
    answer = post(body, token)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert not Ticket.objects.exists()


def test_of_a_message_with_a_fault_nothing_is_taken(token: str) -> None:
    assert post([{"id": "1"}, {"user": "nobody"}], token).status_code == 422
    assert not Ticket.objects.exists()


def test_a_body_is_bounded_and_get_is_refused(token: str) -> None:
    assert post(b" " * (BODY_MOST + 1), token).status_code == 413
    assert Client().get(PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 405


def test_alertmanagers_webhook_is_taken(token: str) -> None:
    TicketSource.objects.update(kind="alertmanager")
    alert = {"status": "firing", "labels": {"user": "alice"}, "startsAt": "2026-11-20T10:00:00Z", "fingerprint": "c0"}
    body = {"version": "4", "status": "firing", "alerts": [alert]}
    assert post(body, token).json() == {"new": 1, "known": 0}
    assert post(body, token).json() == {"new": 0, "known": 1}
    post({"version": "4", "alerts": [alert | {"status": "resolved"}]}, token)
    assert Ticket.objects.get().closed_at is not None
