"""Each invariant notices the bug that it is there for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.__main__ import ROOT

PLANTED = {
    "cuts": "cut",
    "forgets": "views",
    "runs_more": "releases",
    "any_fence": "fence",
    "stays_claimed": "settled",
    "false_record": "record",
    "jumps": "moves",
    "no_budget": "budget",
    "no_bounds": "window",
    "slow_transaction": "outside",
    "sleeps": "way on",
}
SEED = 28  # two gateways in good weather: nothing else goes wrong
BALANCED = "18:stray_balancer"  # three gateways behind balancers that choose the slot


def played(folder: Path, *words: str) -> dict[str, Any]:
    """Episodes in a process of their own, by the word that asked for them."""
    env = {**os.environ, "HANDOVER_STATE": str(folder), "PYTHONHASHSEED": "0", "HANDOVER_LOG": "ERROR"}
    env.pop("DATABASE_URL", None)
    argv = [sys.executable, "-m", "tests.chaos.player", *words]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(words, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    words = [str(SEED), BALANCED, *(f"{SEED}:{plant}" for plant in PLANTED)]
    return played(tmp_path_factory.mktemp("state"), *words)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_bug_is_found(found: dict[str, Any], plant: str) -> None:
    report = found[f"{SEED}:{plant}"]
    assert PLANTED[plant] in {what for what, _ in report["broken"]}, report["broken"]
    assert report["story"], "nothing says how it came about"


def test_balancers_that_are_forgotten_are_found(found: dict[str, Any]) -> None:
    assert "releases" in {what for what, _ in found[BALANCED]["broken"]}, found[BALANCED]["broken"]


def test_without_a_bug_nothing_is_found(found: dict[str, Any]) -> None:
    assert found[str(SEED)]["rollouts"] > 0
    assert found[str(SEED)]["broken"] == []


def test_a_seed_tells_the_same_story_twice(tmp_path: Path) -> None:
    first, second = (played(tmp_path / name, "1007")["1007"] for name in ("a", "b"))
    assert first["story"] == second["story"]
