"""kill -9 of the broker in the middle of steps, of the clock and of the web half; and two workers at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from lab.demo.dashboard import ROOT
from tests.stack.hits import Hunt, recorded
from tests.stack.site import GOOD, NEXT, ONCE, Site, unit, until
from upgrader.serving.programs import answers_ping

IN = {"stage", "shift", "observe"}


def test_of_the_broker(site: Site) -> None:
    hunt = Hunt(site, "broker", set(IN))
    number = hunt.begin(GOOD)
    hunt.follow(number, to="done", seconds=200)
    assert answers_ping(site.dashboard.state / "valkey.sock")
    rows, record = recorded(site, number)
    assert record == rows
    assert set(rows.values()) == {1}
    for name, effects in hunt.done().items():
        assert effects == ONCE, name


@pytest.mark.parametrize("program", ["web", "clock"])
def test_of_another_program(site: Site, program: str) -> None:
    killed = site.pids()[program]
    os.kill(killed, signal.SIGKILL)
    until(lambda: site.pids().get(program, killed) != killed, what=f"no new {program}")
    before = site.looked_at()
    until(lambda: site.looked_at() > before, what="no gateway was looked at again")
    until(site.serves, what="no page")


@pytest.fixture
def second(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """Another worker of the same installation, as on a machine of its own."""
    with (site.dashboard.state / "logs" / "second.log").open("wb") as log:
        process = subprocess.Popen(unit("worker"), cwd=ROOT, env=site.dashboard.env, stdout=log, stderr=log)
    yield process
    process.kill()
    process.wait()


def owners(site: Site) -> set[str]:
    """Process ids of the workers that ran steps."""
    rows = site.ask("SELECT DISTINCT owner FROM upgrader_steprun WHERE owner <> ''")
    return {row["owner"].rpartition(":")[2].partition("-")[0] for row in rows}


def test_two_workers_never_run_a_step_twice(site: Site, second: subprocess.Popen[bytes]) -> None:
    hunt = Hunt(site, "worker", {"stage"})
    number = hunt.begin(NEXT)
    # One of them is killed once: the next one starts while the other is at work, and leaves that one's steps alone.
    hunt.follow(number, to="done", seconds=150)
    rows, record = recorded(site, number)
    assert record == rows
    assert set(rows.values()) == {1}
    for name, effects in hunt.done().items():
        assert effects == ONCE, name
    # A rollout stays with the process that has it, so the second may have had nothing but the waiting.
    assert second.poll() is None
    assert len(owners(site)) > 1
