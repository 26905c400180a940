"""The evidence of a rollout as a page and a file, and every event of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from approvals.models import AuditEvent
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


@pytest.fixture
def made() -> Scene:
    return scene("rolled_back")


def verify(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "approvals.verify_part", str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, cwd=settings.BASE_DIR, check=False)


def test_the_page_says_what_is_there_and_what_is_missing(browse: Browse, made: Scene) -> None:
    page = browse("oncall").get(f"/rollouts/{made.rollout.pk}/evidence/")
    assert_clean(page)
    text = page.content.decode()
    assert "no test matrix ran for 1.3.0-2" in text
    assert "Release desk" in text
    assert "oncall" in text
    assert "JSON, to verify" not in text
    assert "JSON, to verify" in browse("auditor").get(f"/rollouts/{made.rollout.pk}/evidence/").content.decode()


def test_the_file_carries_events_that_the_verifier_checks(browse: Browse, made: Scene, tmp_path: Path) -> None:
    auditor, file, record = browse("auditor"), tmp_path / "evidence.json", tmp_path / "record.ndjson"
    file.write_bytes(auditor.get(f"/rollouts/{made.rollout.pk}/evidence.json").content)
    record.write_bytes(auditor.get("/audit/record.ndjson").getvalue())
    said = verify(file, "--record", str(record))
    assert (said.returncode, "and stand in the record" in said.stdout) == (0, True), said
    whole = json.loads(file.read_text())
    assert whole["format"] == "handover-evidence-1"
    whole["events"][2]["reason"] = "nothing happened"
    file.write_text(json.dumps(whole))
    assert f"event {whole['events'][2]['seq']}: reason shows 'nothing happened'" in verify(file).stdout
    del whole["events"][2:]
    other = whole["events"][0] | {"hash": "0" * 64}
    file.write_text(json.dumps({"events": [other]}))
    assert verify(file).returncode == 1
    file.write_text("no events")
    assert verify(file).returncode == 2


def test_a_file_needs_the_right_to_read_the_record_and_is_recorded(browse: Browse, made: Scene) -> None:
    address = f"/rollouts/{made.rollout.pk}/evidence.html"
    assert browse("oncall").get(address).status_code == 403
    assert browse("stranger").get(address).status_code == 404
    assert browse("auditor").get(address.replace("html", "exe")).status_code == 404
    assert browse("auditor").post(address).status_code == 405
    assert not AuditEvent.objects.filter(verb="record.exported").exists()
    page = browse("auditor").get(address)
    assert_clean(page)
    assert b"Evidence of rollout" in page.content
    event = AuditEvent.objects.get(verb="record.exported")
    assert (event.subject, event.actor) == (f"rollout:{made.rollout.pk}", "auditor")


def test_every_event_is_found_by_kind_and_gateway(browse: Browse, made: Scene) -> None:
    oncall, address = browse("oncall"), f"/rollouts/{made.rollout.pk}/events/"
    page = oncall.get(address)
    assert_clean(page)
    assert b'hx-get="/rollouts/' in page.content
    some = oncall.get(address, {"verb": "approval."}, headers={"HX-Request": "true", "HX-Target": "timeline"})
    assert b"<html" not in some.content
    assert b"As planned" in some.content
    assert b"wave 1:" not in some.content
    assert b"No event of this rollout matches" in oncall.get(address, {"gateway": "none"}).content
    assert browse("stranger").get(address).status_code == 404
