"""What an auditor finds in the record and takes of it; and that the record knows."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from openpyxl import load_workbook

from approvals.models import AuditEvent
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


@pytest.fixture
def made() -> Scene:
    return scene("observing")


def taken(client: Client, path: str) -> bytes:
    answer = client.get(path)
    content = answer.getvalue()
    assert answer.headers["X-Content-SHA256"] == hashlib.sha256(content).hexdigest()
    assert answer.headers["Content-Length"] == str(len(content))
    return content


def test_the_page_finds_by_release_and_rollout(browse: Browse, made: Scene) -> None:
    page = browse("auditor").get("/audit/", {"release": made.rollout.release.name, "verb": "wave.moved"})
    assert_clean(page)
    assert b"wave.moved" in page.content
    assert b"SHA-256" in page.content
    assert b"No event matches." in browse("auditor").get("/audit/", {"rollout": "99"}).content
    assert b"is no time zone" in browse("auditor").get("/audit/", {"zone": "Mars"}).content
    local = browse("auditor").get("/audit/", {"zone": "Asia/Shanghai", "rollout": str(made.rollout.pk)})
    assert b"Asia/Shanghai</small>" in local.content


def test_a_reading_stands_in_the_record_once(browse: Browse, made: Scene) -> None:
    auditor = browse("auditor")
    for _ in range(2):
        assert b"record.read" not in auditor.get("/audit/", {"gateway": "fra-gw-01"}).content.partition(b"<table")[2]
    event = AuditEvent.objects.get(verb="record.read")
    assert json.loads(event.body)["details"]["filter"] == {"gateway": "fra-gw-01"}
    assert event.actor == "auditor"


def test_all_of_it_as_lines_is_verified_without_django(browse: Browse, made: Scene, tmp_path: Path) -> None:
    (tmp_path / "record.ndjson").write_bytes(taken(browse("auditor"), "/audit/record.ndjson"))
    command = [sys.executable, "-m", "approvals.verify", str(tmp_path / "record.ndjson")]
    said = subprocess.run(command, capture_output=True, text=True, cwd=settings.BASE_DIR, check=False)
    assert "The record is whole" in said.stdout, said
    details = json.loads(AuditEvent.objects.get(verb="record.exported").body)["details"]
    assert (details["form"], details["count"]) == ("ndjson", details["last"])


def test_a_workbook_and_a_table_hold_the_same(browse: Browse, made: Scene) -> None:
    auditor = browse("auditor")
    query = f"rollout={made.rollout.pk}"
    sheet = load_workbook(io.BytesIO(taken(auditor, f"/audit/record.xlsx?{query}")))["Record"]
    lines = taken(auditor, f"/audit/record.csv?{query}").decode("utf-8-sig").splitlines()
    assert sheet.max_row == len(lines) > 3


def test_a_sample_is_drawn_again_by_its_seed(browse: Browse, made: Scene) -> None:
    auditor = browse("auditor")
    page = auditor.get("/audit/print/", {"seed": "2026", "size": "25"})
    assert_clean(page)
    assert b"Sample of 1 change" in page.content
    assert b"oncall approved" in page.content
    upto = AuditEvent.objects.count()
    one, two = (taken(auditor, f"/audit/record.ndjson?seed=2026&upto={upto}") for _ in range(2))
    assert one == two
    assert len(one.splitlines()) > 3
    assert b"No change begins" in auditor.get("/audit/print/", {"seed": "1", "until": "2020-01-01"}).content
    assert b"To print" not in auditor.get("/audit/print/").content


def test_only_who_may_read_the_record_takes_it(browse: Browse, made: Scene) -> None:
    for path in ("/audit/record.csv", "/audit/print/"):
        assert browse("operator").get(path).status_code == 403
        assert browse("auditor").post(path).status_code == 405
    assert browse("auditor").get("/audit/record.exe").status_code == 404
    assert browse("auditor").head("/audit/record.csv").status_code == 200
    assert not AuditEvent.objects.filter(verb="record.exported").exists()
