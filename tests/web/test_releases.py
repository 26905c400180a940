"""Adding a release by upload: the service judges, the page says what it said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from approvals.models import AuditEvent
from releases.models import Release
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def upload(*names: str) -> dict[str, Any]:
    return {"files": [SimpleUploadedFile(name, b"{}") for name in names]}


@pytest.fixture(autouse=True)
def _repository(settings: Any, tmp_path: Any) -> None:
    settings.REPOSITORY = tmp_path / "repository"


@pytest.mark.parametrize("who", ["oncall", "auditor", "stranger"])
def test_needs_the_right(browse: Browse, who: str) -> None:
    assert browse(who).post("/releases/add/", upload("manifest.json")).status_code == 403


def test_refusal_is_named_and_recorded(browse: Browse) -> None:
    page = browse("operator").post("/releases/add/", upload("manifest.json", "SHA256SUMS"))
    assert page.status_code == 422
    assert b"Nothing was done." in page.content
    assert_clean(page)
    assert not Release.objects.exists()
    assert AuditEvent.objects.filter(verb="release.refused", actor__contains="operator").exists()


def test_no_file_and_too_many(browse: Browse) -> None:
    for files in ({}, upload(*(f"f{number}" for number in range(21)))):
        assert browse("operator").post("/releases/add/", files).status_code == 422


def test_path_in_a_name_leads_nowhere(browse: Browse, tmp_path: Any) -> None:
    page = browse("operator").post("/releases/add/", upload("../../escaped"))
    assert page.status_code == 422
    assert not list(tmp_path.rglob("escaped"))


def test_part_comes_back_to_htmx(browse: Browse) -> None:
    headers = {"HX-Request": "true", "HX-Target": "release-add"}
    page = browse("operator").post("/releases/add/", upload("manifest.json"), headers=headers)
    assert b'id="release-add"' in page.content
    assert b"<html" not in page.content
