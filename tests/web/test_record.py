"""Sign-in and the audit page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from approvals import audit, checkpoints, copies, proof, triggers
from approvals.chain import leaf
from approvals.models import Actor, AuditEvent, User
from tests.browser.site import PASSWORD
from tests.scenes import scene

Browse = Callable[[str], Client]


def test_sign_in_and_out_are_recorded(people: dict[str, User]) -> None:
    client = Client()
    assert client.post("/sign-in/", {"username": "oncall", "password": "wrong"}).status_code == 422
    assert client.post("/sign-in/", {"username": "oncall", "password": PASSWORD}).status_code == 302
    client.post("/sign-out/")
    verbs = ["session.refused", "session.signed_in", "session.signed_out"]
    assert list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True)) == verbs
    assert PASSWORD not in "".join(AuditEvent.objects.values_list("body", flat=True))


def test_sign_in_leads_back_and_not_elsewhere(people: dict[str, User]) -> None:
    for asked, led in (("/gateways/", "/gateways/"), ("https://evil.example/", "/")):
        said = {"username": "oncall", "password": PASSWORD, "next": asked}
        assert Client().post("/sign-in/", said).headers["Location"] == led


def test_filters(browse: Browse) -> None:
    rollout = scene("observing").rollout
    auditor = browse("auditor")
    page = auditor.get("/audit/", {"subject": f"rollout:{rollout.pk}", "actor": "oncall"}).content.decode()
    assert "As planned" in page
    assert ">wave.moved<" not in page
    assert "No event matches." in auditor.get("/audit/", {"until": "2020-01-01"}).content.decode()
    assert "rollout.moved" in auditor.get("/audit/", {"since": "not a day", "verb": "rollout."}).content.decode()


def test_broken_record_is_named(browse: Browse) -> None:
    scene("observing")
    auditor = browse("auditor")
    assert "The record is whole" in auditor.get("/audit/?verify=1").content.decode()
    triggers.remove(connection)
    AuditEvent.objects.filter(seq=2).update(reason="somebody was here")
    triggers.install(connection)
    assert "The record is not whole" in auditor.get("/audit/?verify=1").content.decode()


def test_text_of_others_is_escaped(browse: Browse) -> None:
    made = scene("observing")
    reason = "<script>alert(1)</script>"
    said = {"version": made.rollout.version, "reason": reason}
    browse("oncall").post(f"/rollouts/{made.rollout.pk}/roll-back/", said)
    for who, path in (("auditor", "/audit/"), ("oncall", f"/rollouts/{made.rollout.pk}/"), ("oncall", "/")):
        page = browse(who).get(path).content.decode()
        assert reason not in page
        assert "&lt;script&gt;alert(1)" in page


def test_page_shows_the_proof_and_what_was_looked_at(browse: Browse, settings: Any, tmp_path: Path) -> None:
    scene("observing")
    auditor = browse("auditor")
    settings.CHECKPOINT_FILE = ""
    assert "Checkpoints are copied nowhere" in auditor.get("/audit/").content.decode()
    settings.CHECKPOINT_FILE = str(tmp_path / "copy")
    checkpoints.make(now=timezone.now())
    size = checkpoints.last().size  # type: ignore[union-attr]  # it was just made
    page = auditor.get("/audit/").content.decode()
    assert f"{size} events, signed" in page
    assert "1 checkpoint has not reached file since" in page
    copies.send("file", now=timezone.now())
    assert "All checkpoints have reached file." in auditor.get("/audit/").content.decode()
    assert "The signed checkpoint over them agrees." in auditor.get("/audit/?verify=1").content.decode()


def test_only_the_last_events_of_a_long_record_are_verified_by_the_page(people: dict[str, User]) -> None:
    with transaction.atomic():
        for _ in range(230):
            audit.append("did", subject="x:1", actor=Actor.machine("test"), at=timezone.now())
    checkpoints.make(now=timezone.now())
    looked = proof.look(most=40)
    assert (looked.finding, looked.first, looked.signed) == (None, 101, 2)
    assert looked.sentence().startswith("Events 101 to 231 are whole, and this is all that was looked at. 2 signed")
    triggers.remove(connection)
    body = AuditEvent.objects.get(seq=150).body.replace("x:1", "x:2")
    AuditEvent.objects.filter(seq=150).update(body=body, subject="x:2", hash=leaf(body))
    triggers.install(connection)
    assert proof.look(most=40).finding is not None
