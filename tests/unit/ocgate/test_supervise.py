"""The parent that stands in where there is no systemd: restarts, gives up, and ends with its child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.ocgate import supervise
from tests.unit.ocgate.values import paths

RUN = """
import sys
from pathlib import Path
from fleet.ocgate import supervise
from tests.unit.ocgate.values import paths
supervise.PAUSE = 0.01
sys.exit(supervise.Parent(paths(Path(sys.argv[1])), 2, sys.argv[2:]).watch())
"""


def parent(folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[3])
    return subprocess.Popen([sys.executable, "-c", RUN, str(folder), *argv], env={**os.environ, "PYTHONPATH": root})


def record(folder: Path) -> dict[str, object]:
    path = paths(folder).run / "slot-2.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def until(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("argv", [["/bin/false"], ["/no/such/program"]])
def test_what_fails_at_once_is_given_up_after_a_few_starts(tmp_path: Path, argv: list[str]) -> None:
    assert parent(tmp_path, *argv).wait(20) == 1
    seen = record(tmp_path)
    assert (seen["failed"], seen["restarts"], seen["pid"]) == (True, supervise.BURST - 1, 0)
    assert supervise.look(paths(tmp_path), 2).failed or supervise.has_systemd()


def test_what_ends_well_is_not_started_again(tmp_path: Path) -> None:
    assert parent(tmp_path, "/bin/true").wait(20) == 0
    assert record(tmp_path)["restarts"] == 0


def test_a_killed_child_is_started_again_and_a_stop_ends_both(tmp_path: Path) -> None:
    watching = parent(tmp_path, "/bin/sleep", "60")
    until(lambda: record(tmp_path).get("pid"))
    first = int(str(record(tmp_path)["pid"]))
    os.kill(first, signal.SIGKILL)
    until(lambda: record(tmp_path).get("pid") not in (None, 0, first))
    second = int(str(record(tmp_path)["pid"]))
    assert record(tmp_path)["restarts"] == 1
    watching.terminate()
    assert watching.wait(20) == 0
    assert not supervise.alive(second)


def test_a_zombie_and_nobody_are_not_alive() -> None:
    child = subprocess.Popen(["/bin/true"])
    until(lambda: not supervise.alive(child.pid))
    child.wait()
    assert not supervise.alive(0)
    assert supervise.alive(os.getpid())
