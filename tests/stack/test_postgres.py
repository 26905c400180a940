"""The same code on PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import servers
from lab.demo.dashboard import ROOT
from tests.stack.hits import Hunt, recorded
from tests.stack.site import GOOD, ONCE, Site, running

ROUNDS = 30


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    with servers.both() as addresses:
        yield addresses


def brought_back(site: Site, env: dict[str, str], folder: Path) -> str:
    """Back up while it runs, restore into another database, and verify the record there: what that says."""
    keys = ["--keys", str(folder / "keys")]
    site.dashboard.manage("backup", str(folder / "backup"), *keys)
    (folder / "empty").mkdir()
    empty = {"HANDOVER_STATE": str(folder / "empty"), "DATABASE_URL": servers.another(env["DATABASE_URL"])}
    said = ""
    for words in (["restore", str(folder / "backup"), *keys], ["audit", "verify"]):
        asked, more = [sys.executable, "manage.py", *words], {**os.environ, **env, **empty}
        said = subprocess.run(asked, env=more, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return said


def test_a_whole_rollout(env: dict[str, str], port: int, tmp_path: Path) -> None:
    with running(None, port=port, env=env) as site:
        assert "broker" not in site.pids()
        assert not (site.dashboard.state / "handover.sqlite3").exists()
        hunt = Hunt(site, "worker", {"shift"})
        number = hunt.begin(GOOD)
        hunt.follow(number, to="done", seconds=150)
        rows, record = recorded(site, number)
        assert record == rows
        assert set(rows.values()) == {1}
        assert hunt.done() == {"gw1": ONCE, "gw2": ONCE}
        assert "whole" in site.dashboard.manage("audit", "verify")
        assert "signed checkpoint" in brought_back(site, env, tmp_path)


@pytest.fixture(scope="module")
def raced(env: dict[str, str]) -> dict[str, str]:
    """The environment of processes that race on a database of their own."""
    more = {
        "DATABASE_URL": servers.another(env["DATABASE_URL"]),
        "DJANGO_SETTINGS_MODULE": "upgrader.settings",
        "HANDOVER_LOG": "ERROR",
    }
    made = {**os.environ, **env, **more}
    printed(made, "manage.py", "migrate", "-v0")
    return made


def printed(env: dict[str, str], *argv: str) -> bytes:
    return subprocess.run([sys.executable, *argv], env=env, cwd=ROOT, check=True, capture_output=True).stdout


def test_a_worker_that_settles_and_the_machine_that_moves_never_lock_each_other_out(raced: dict[str, str]) -> None:
    said = printed(raced, "-m", "tests.stack.racer", str(ROUNDS))
    assert set(json.loads(said)) <= {"LostRace"}


def test_two_who_decide_at_once_give_one_outcome_and_the_other_learns_it(raced: dict[str, str]) -> None:
    for one in json.loads(printed(raced, "-m", "tests.stack.deciders", str(ROUNDS))):
        assert one["faults"] == []
        assert one["answers"] == 1
        winner, loser = ("Li", "Kim") if one["state"] == "approved" else ("Kim", "Li")
        assert one["told"][winner] == one["state"]
        assert one["told"][loser] == f"{winner} {one['state']} this 0 s ago."
