"""The matrix's pages: the grid, one cell, its curve, the summary on a release's page; and who may see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import Actor, User
from releases.matrix import journal
from releases.models import MatrixCell, MatrixRun, Release
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
Cells = dict[str, tuple[str, dict[str, Any]]]
TEST = Actor.machine("test")
RATIO = {"kind": "ratio", "low": 1.9, "middle": 2.0, "high": 2.1, "most": 1.25, "new": [80.0] * 24, "old": [40.0] * 24}
GROWTH = {"kind": "growth", "x": [16, 32, 48], "new": [8e6, 9e6, 10e6], "old": [8e6, 8e6, 8e6]}


@pytest.fixture
def release(people: dict[str, User]) -> Release:
    factories.pool()
    return factories.release("1.3.0-2")


def ran(release: Release, cells: Cells, *, part: str = "stress", old: str = "1.1.6-3") -> MatrixRun:
    now = timezone.now()
    run = journal.begin(release, part=part, upgraded_from=old, actor=TEST, now=now)
    for test, (verdict, numbers) in cells.items():
        say = f"{test} says {verdict} <b>"
        MatrixCell.objects.create(run=run, test=test, verdict=verdict, say=say, numbers=numbers, log="its <log>")
    return journal.finish(run, versions={"openconnect": "9.01 and 9.21"}, actor=TEST, now=now)


def test_grid_has_releases_and_tests(browse: Browse, release: Release) -> None:
    ran(release, {"speed": ("green", {})})
    ran(release, {"speed": ("red", RATIO)})
    ran(release, {"hardening": ("unclear", {})}, part="static", old="")
    page = browse("auditor").get("/releases/matrix/")
    text = page.content.decode()
    assert_clean(page)
    for words in ("1.3.0-2", "from 1.1.6-3", "hardening", "Unclear", "Red", "was green"):
        assert words in text
    assert 'hx-trigger="every 15s"' in text


def test_grid_follows_a_run(browse: Browse, release: Release) -> None:
    run = journal.begin(release, part="stress", upgraded_from="1.1.6-3", actor=TEST, now=timezone.now())
    journal.tell(run, "round 3 of 14", 2, 14, now=timezone.now())
    part = browse("operator").get("/releases/matrix/", headers={"HX-Request": "true", "HX-Target": "matrix"})
    text = part.content.decode()
    assert "<html" not in text
    assert 'hx-trigger="every 2s"' in text
    assert "Round 3 of 14." in text
    assert 'value="2"' in text


def test_run_without_a_sign_of_life_is_told(browse: Browse, release: Release) -> None:
    long_ago = timezone.now() - journal.SILENT - timedelta(seconds=1)
    journal.begin(release, part="stress", upgraded_from="1.1.6-3", actor=TEST, now=long_ago)
    assert b"No sign of life" in browse("operator").get("/releases/matrix/").content


def test_failed_run_is_no_verdict(browse: Browse, release: Release) -> None:
    run = journal.begin(release, part="stress", upgraded_from="", actor=TEST, now=timezone.now())
    journal.fail(run, "The lab must run as root.", actor=TEST, now=timezone.now())
    text = browse("operator").get("/releases/matrix/").content.decode()
    assert "Could not be run" in text
    assert "That says nothing about the release" in text
    assert "s-failed" not in text


@pytest.mark.parametrize(("numbers", "kind"), [(RATIO, "% up to here"), (GROWTH, "MiB")])
def test_cell_has_its_curve(browse: Browse, release: Release, numbers: dict[str, Any], kind: str) -> None:
    test = "memory growth" if "x" in numbers else "time to log in"
    cell = ran(release, {test: ("red", numbers)}).cells.get()
    page = browse("oncall").get(f"/releases/matrix/cells/{cell.pk}/")
    assert_clean(page)
    assert f'data-chart="/releases/matrix/cells/{cell.pk}/chart/"' in page.content.decode()
    assert "its &lt;log&gt;" in page.content.decode()
    chart = browse("oncall").get(f"/releases/matrix/cells/{cell.pk}/chart/").json()
    assert [trace["name"] for trace in chart["figure"]["data"]] == ["1.1.6-3", "1.3.0-2"]
    assert chart["figure"]["layout"]["yaxis"]["title"]["text"] == kind
    assert chart["say"] == cell.say


def test_cell_without_measurements_has_no_chart(browse: Browse, release: Release) -> None:
    cell = ran(release, {"password": ("green", {"ready_ms": 41.2})}).cells.get()
    page = browse("oncall").get(f"/releases/matrix/cells/{cell.pk}/").content.decode()
    assert "data-chart" not in page
    assert "41.2" in page
    assert browse("oncall").get(f"/releases/matrix/cells/{cell.pk}/chart/").json()["empty"]


def test_strangers_see_nothing(browse: Browse, release: Release) -> None:
    cell = ran(release, {"password": ("red", RATIO)}).cells.get()
    assert b"1.3.0-2" not in browse("stranger").get("/releases/matrix/").content
    for path in ("", "chart/"):
        assert browse("stranger").get(f"/releases/matrix/cells/{cell.pk}/{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "cells/{cell}/", "cells/{cell}/chart/"])
def test_nothing_is_written_here(browse: Browse, release: Release, path: str) -> None:
    cell = ran(release, {"password": ("red", RATIO)}).cells.get()
    assert browse("operator").post(f"/releases/matrix/{path.format(cell=cell.pk)}").status_code == 405


def test_release_page_has_the_summary(browse: Browse, release: Release) -> None:
    cell = ran(release, {"password": ("red", {}), "dtls": ("green", {})}).cells.get(test="password")
    text = browse("operator").get(f"/releases/{release.pk}/").content.decode()
    assert f"/releases/matrix/cells/{cell.pk}/" in text
    assert "manage.py matrix run 1.3.0-2 --part functional" in text
