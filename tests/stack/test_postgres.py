"""The same code on PostgreSQL and Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab import servers
from lab.demo.dashboard import ROOT
from tests.stack.hits import Hunt, recorded
from tests.stack.site import GOOD, ONCE, running

ROUNDS = 30


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    with servers.both() as addresses:
        yield addresses


def test_a_whole_rollout(env: dict[str, str], port: int) -> None:
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


def test_a_worker_that_settles_and_the_machine_that_moves_never_lock_each_other_out(env: dict[str, str]) -> None:
    more = {
        "DATABASE_URL": servers.another(env["DATABASE_URL"]),
        "DJANGO_SETTINGS_MODULE": "upgrader.settings",
        "HANDOVER_LOG": "ERROR",
    }
    said = b""
    for argv in (["manage.py", "migrate", "-v0"], ["-m", "tests.stack.racer", str(ROUNDS)]):
        asked = [sys.executable, *argv]
        said = subprocess.run(
            asked, env={**os.environ, **env, **more}, cwd=ROOT, check=True, capture_output=True
        ).stdout
    assert set(json.loads(said)) <= {"LostRace"}
