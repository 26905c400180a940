"""A person's own keys: proposed, confirmed by another, retired."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from approvals.models import ApproverKey, AuditEvent, Request, User

Browse = Callable[[str], Client]


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + " me@laptop"


def confirmed(browse: Browse, by: str, second: str) -> ApproverKey:
    browse(by).post("/keys/add/", {"key": public_key()})
    request = Request.objects.latest("pk")
    browse(second).post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    return ApproverKey.objects.latest("pk")


def test_a_key_counts_once_another_has_confirmed_it(browse: Browse, people: dict[str, User]) -> None:
    key = confirmed(browse, "operator", "oncall")
    assert (key.user, key.active) == (people["operator"], True)
    assert "me@laptop" not in key.public_key
    event = AuditEvent.objects.get(verb="approver_key.confirmed")
    assert event.actor == "oncall"
    assert key.fingerprint in browse("operator").get("/keys/").content.decode()


def test_nobody_confirms_his_own(browse: Browse) -> None:
    browse("oncall").post("/keys/add/", {"key": public_key()})
    request = Request.objects.latest("pk")
    answer = browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    assert answer.status_code == 409
    assert not ApproverKey.objects.exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "no public key that may sign"),
        ("ssh-ed25519 AAAA", "damaged"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "no public key that may sign"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "This is a private key"),
    ],
)
def test_what_is_no_public_key_is_refused_and_stays_typed(browse: Browse, line: str, says: str) -> None:
    answer = browse("operator").post("/keys/add/", {"key": line})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert line in answer.content.decode()


def test_the_same_key_twice_is_refused(browse: Browse) -> None:
    key = confirmed(browse, "operator", "oncall")
    answer = browse("oncall").post("/keys/add/", {"key": key.public_key})
    assert "is operator&#x27;s already" in answer.content.decode()


def test_without_the_right_there_is_no_asking(browse: Browse) -> None:
    answer = browse("auditor").post("/keys/add/", {"key": public_key()})
    assert answer.status_code == 422
    assert "You may not ask for this" in answer.content.decode()


def test_a_key_is_retired_once(browse: Browse) -> None:
    key = confirmed(browse, "operator", "oncall")
    for _ in range(2):
        assert browse("operator").post(f"/keys/{key.pk}/retire/").status_code == 302
    assert not ApproverKey.objects.get(pk=key.pk).active
    assert AuditEvent.objects.filter(verb="approver_key.retired").count() == 1


def test_a_stranger_can_not_retire_it(browse: Browse) -> None:
    key = confirmed(browse, "operator", "oncall")
    assert browse("stranger").post(f"/keys/{key.pk}/retire/").status_code == 409
    assert browse("stranger").get(f"/keys/{key.pk}/retire/").status_code == 405
    assert ApproverKey.objects.get(pk=key.pk).active
