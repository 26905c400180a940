"""A worker that starts takes over from those that ended, and from nobody who is at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings

from tests.db.upgrader.world import Fleet
from upgrader import alive, claims, engine
from upgrader.models import StepRun

OWNER = "import django; django.setup(); from upgrader import alive; print(alive.owner(), flush=True); input()"


@pytest.fixture
def other() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process of this machine that may claim; its owner's name."""
    env = {**os.environ, "HANDOVER_STATE": str(settings.STATE), "DJANGO_SETTINGS_MODULE": "upgrader.settings"}
    argv = [sys.executable, "-c", OWNER]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def claimed(fleet: Fleet, owner: str) -> StepRun:
    fleet.started()
    engine.tick(now=fleet.now())
    step = fleet.open_steps()[0]
    assert claims.claim(step.pk, owner=owner, now=fleet.now())
    return step


def test_a_second_worker_leaves_the_first_ones_steps_alone(
    fleet: Fleet, other: tuple[subprocess.Popen[str], str]
) -> None:
    step = claimed(fleet, other[1])
    assert engine.end_leases(now=fleet.now()) == 0
    assert step.pk not in engine.due(now=fleet.later(1))


def test_a_killed_workers_steps_are_due_at_once(fleet: Fleet, other: tuple[subprocess.Popen[str], str]) -> None:
    step = claimed(fleet, other[1])
    other[0].send_signal(signal.SIGKILL)
    other[0].wait()
    assert engine.end_leases(now=fleet.now()) == 1
    assert step.pk in engine.due(now=fleet.now() + timedelta(seconds=0.1))


@pytest.mark.parametrize("owner", ["elsewhere-0badcafe:7-0badcafe", "own"])
def test_other_machines_and_our_own_steps_are_left_alone(fleet: Fleet, owner: str) -> None:
    claimed(fleet, alive.owner() if owner == "own" else owner)
    assert engine.end_leases(now=fleet.now()) == 0
