"""Two workers and two rollouts never go beyond the budget together, on either database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import servers
from lab.demo.dashboard import ROOT

ROUNDS = 20


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, str]]:
    with servers.both() as addresses:
        yield addresses


def raced(env: dict[str, str]) -> dict[str, Any]:
    """What the racer found on a fresh database."""
    every = {**os.environ, **env, "DJANGO_SETTINGS_MODULE": "upgrader.settings", "HANDOVER_LOG": "ERROR"}
    said = b""
    for argv in (["manage.py", "migrate", "-v0"], ["-m", "tests.stack.budget_racer", str(ROUNDS)]):
        said = subprocess.run([sys.executable, *argv], env=every, cwd=ROOT, check=True, capture_output=True).stdout
    return dict(json.loads(said))


def test_on_postgresql(postgres: dict[str, str], tmp_path: Path) -> None:
    found = raced({**postgres, "HANDOVER_STATE": str(tmp_path)})
    assert found == {"out": [3] * ROUNDS, "said": ["NoRoom"]}


def test_on_sqlite(tmp_path: Path) -> None:
    found = raced({"HANDOVER_STATE": str(tmp_path)})
    assert found == {"out": [3] * ROUNDS, "said": ["NoRoom"]}
