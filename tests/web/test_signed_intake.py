"""Complaints that come signed, copies of them, and the change from one secret or token to the next."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals import signed_webhook as hooks
from approvals.models import Actor, AuditEvent
from fleet.models import Credential, Ticket, TicketMessage, TicketSource
from fleet.tickets import proofs, services
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
BODY = json.dumps({"id": "INC-1", "user": "alice", "text": "slow"}).encode()


def source(proof: str) -> tuple[TicketSource, str]:
    by = factories.cast()["operator"]
    actor = Actor(kind="person", name="operator", user_id=by.pk)
    wish = services.Wish("noc", "json", factories.pool(), "", proof)
    return services.add_source(wish, by=by, actor=actor, why="The NOC's desk", now=timezone.now())


def post(body: bytes, headers: dict[str, str]) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post("/api/tickets/noc/", body, content_type="application/json", headers=headers)


def signed(secret: str, *, body: bytes = BODY, id: str = "msg_1", late: int = 0) -> dict[str, str]:
    return hooks.headers([secret], id, int(timezone.now().timestamp()) - late, body)


def test_a_signed_complaint_is_taken_and_a_copy_is_not_read_again() -> None:
    row, secret = source("standard")
    headers = signed(secret)
    first, copy = post(BODY, headers), post(BODY, headers)
    assert [(answer.status_code, answer.json()["new"]) for answer in (first, copy)] == [(201, 1), (200, 0)]
    assert copy.json() == {"new": 0, "known": 0}
    assert TicketMessage.objects.get().source == row
    other = signed(secret, body=b'{"id": "INC-2"}', id="msg_1")
    assert post(b'{"id": "INC-2"}', other).json() == {"new": 0, "known": 0}
    assert Ticket.objects.count() == 1


def test_one_that_was_refused_may_come_again_corrected() -> None:
    _, secret = source("standard")
    wrong = b'{"user": "alice"}'
    assert post(wrong, signed(secret, body=wrong)).status_code == 422
    assert not TicketMessage.objects.exists()
    assert post(BODY, signed(secret)).status_code == 201


@pytest.mark.parametrize(("late", "why"), [(301, "301 s old"), (-310, "ahead of our clock")])
def test_an_old_message_is_refused_by_its_age(late: int, why: str) -> None:
    _, secret = source("standard")
    answer = post(BODY, signed(secret, late=late))
    assert (answer.status_code, why.split()[-1] in answer.json()["error"]) == (401, True)
    assert not Ticket.objects.exists()


def test_a_wrong_signature_or_none_is_refused_and_no_token_helps() -> None:
    row, secret = source("standard")
    other = hooks.secret_of(b"x" * 32)
    for headers in (signed(other), {}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {secret}"}):
        assert post(BODY, headers).status_code == 401
    assert post(b'{"id": "2"}', signed(secret)).status_code == 401
    TicketSource.objects.filter(pk=row.pk).update(ended_at=timezone.now())
    assert post(BODY, signed(secret)).status_code == 401
    assert not Ticket.objects.exists()


def test_a_system_that_only_signs_the_body_is_taken_once() -> None:
    _, secret = source("hub")
    digest = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}"}
    assert [post(BODY, headers).status_code for _ in range(2)] == [201, 200]
    assert post(BODY + b" ", headers).status_code == 401


def renew(client: Client, row: TicketSource, **change: str) -> Any:
    form = {"hours": "24", "seen": proofs.version(row), "why": "Once a year"}
    return client.post(f"/tickets/sources/{row.pk}/renew/", form | change)


def test_two_secrets_are_good_for_a_while(browse: Browse) -> None:
    row, first = source("standard")
    seen = proofs.version(row)
    page = renew(browse("operator"), row)
    assert_clean(page)
    second = proofs.secrets_of(row, timezone.now())[0]
    assert (page.status_code, second in page.content.decode()) == (201, True)
    assert [post(BODY, signed(key, id=f"m-{key[-5:-1]}")).status_code for key in (second, first)] == [201, 200]
    row.refresh_from_db()
    assert row.old_used_at is not None
    assert b"It was last used" in browse("operator").get("/tickets/sources/").content
    again = renew(browse("operator"), row, seen=seen)
    assert (again.status_code, b"another one meanwhile" in again.content) == (409, True)
    TicketSource.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    assert post(BODY, signed(first, id="m-3")).status_code == 401
    event = AuditEvent.objects.get(verb="ticket_source.renewed")
    assert (event.actor, event.reason, first in event.body) == ("operator", "Once a year", False)


def test_two_tokens_are_good_for_a_while(browse: Browse) -> None:
    row, first = source("")
    assert renew(browse("operator"), row).status_code == 201
    assert post(BODY, {"Authorization": f"Bearer {first}"}).status_code == 201
    row.refresh_from_db()
    assert renew(browse("operator"), row, hours="0").status_code == 201
    assert post(BODY, {"Authorization": f"Bearer {first}"}).status_code == 401


def test_who_may_not_changes_no_secret_and_its_end_forgets_it(browse: Browse) -> None:
    row, _ = source("hub")
    for name, status in (("auditor", 409), ("stranger", 404)):
        assert renew(browse(name), row).status_code == status
    assert renew(browse("operator"), row, hours="5").status_code == 409
    assert renew(browse("operator"), row, why="").status_code == 409
    assert browse("operator").get(f"/tickets/sources/{row.pk}/renew/").status_code == 405
    assert browse("operator").post(f"/tickets/sources/{row.pk}/end/", {"why": "Gone"}).status_code == 302
    assert not Credential.objects.filter(name__startswith="ticket-source").exists()
    assert renew(browse("operator"), row).status_code == 409
