"""The supervisor, with small programs of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from upgrader.serving.child import Child
from upgrader.serving.programs import Program, SetupError, broker, port_is_free
from upgrader.serving.supervisor import Supervisor

WITHIN = 20.0  # seconds; only a failing test waits that long
SLEEPER = (
    "import time, pathlib, os, sys; pathlib.Path(sys.argv[1]).open('a').write(f'{os.getpid()}\\n'); time.sleep(600)"
)
# Starts a supervisor with two programs whose process ids it leaves in files.
SUPERVISED = f"""
import sys
from functools import partial
from pathlib import Path
from upgrader.serving.programs import Program
from upgrader.serving.supervisor import Supervisor
folder = Path(sys.argv[1])
def sleep(name):
    sys.argv[1:] = [str(folder / name)]
    exec({SLEEPER!r})
if sys.argv[2] == "forked":
    programs = [Program(name, run=partial(sleep, name)) for name in ("one", "two")]
else:
    programs = [Program(name, (sys.executable, "-c", {SLEEPER!r}, str(folder / name))) for name in ("one", "two")]
supervisor = Supervisor()
supervisor.listen()
supervisor.start(programs)
supervisor.run()
supervisor.stop()
"""


def until(true: Callable[[], object], *, within: float = WITHIN) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.02)


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def gone(pid: int) -> bool:
    """True when the process is no more, or a zombie that its reaper has not collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(params=["commands", "forked"])
def supervisor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", SUPERVISED, str(tmp_path), request.param]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    until(lambda: pids(tmp_path / "one") and pids(tmp_path / "two"))
    yield process
    process.kill()
    process.wait()


def test_restarts_what_was_killed(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    os.kill(pids(tmp_path / "one")[0], signal.SIGKILL)
    until(lambda: len(pids(tmp_path / "one")) == 2)
    assert len(pids(tmp_path / "two")) == 1
    assert supervisor.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all(supervisor: subprocess.Popen[bytes], tmp_path: Path, number: signal.Signals) -> None:
    supervisor.send_signal(number)
    assert supervisor.wait(WITHIN) == 0
    assert gone(pids(tmp_path / "one")[0])
    assert gone(pids(tmp_path / "two")[0])


def test_kill_9_of_the_supervisor_leaves_nothing_behind(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    supervisor.kill()
    supervisor.wait()
    until(lambda: gone(pids(tmp_path / "one")[0]) and gone(pids(tmp_path / "two")[0]))


def test_a_program_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    child = Child(Program("deaf", (sys.executable, "-c", deaf)), tmp_path)
    child.start()
    until(lambda: (tmp_path / "deaf.log").read_text() == "1\n")
    child.signal(signal.SIGTERM)
    assert not child.end(time.monotonic() + 0.1)
    assert child.process is not None
    assert child.process.returncode == -signal.SIGKILL


def test_a_forked_program_says_how_it_ended(tmp_path: Path) -> None:
    """Its sibling's file and its caller's clean-up are not its own."""
    script = ENDED.format(log=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=WITHIN, check=True)
    assert done.stdout.split() == ["3", "1", "0", "clean"]
    assert "ValueError: broken" in (tmp_path / "b.log").read_text()


ENDED = """
import sys
from pathlib import Path
from upgrader.serving.child import Child
from upgrader.serving.programs import Program
def broken():
    raise ValueError("broken")
def status(name, run):
    child = Child(Program(name, run=run), Path("{log}"))
    child.start()
    return child.process.wait(10)
try:
    print(status("a", lambda: sys.exit(3)), status("b", broken), status("c", lambda: None))
finally:
    print("clean")
"""


def test_the_pause_grows_while_a_program_keeps_ending(tmp_path: Path) -> None:
    child = Child(Program("short", (sys.executable, "-c", "")), tmp_path)
    pauses = []
    for _ in range(3):
        child.start()
        until(lambda: child.look() is not None)
        pauses.append(child.pause)
    assert pauses == [0.5, 1.0, 2.0]


def test_a_program_that_never_answers_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("upgrader.serving.supervisor.READY_WITHIN", 0.1)
    mute = Program("mute", (sys.executable, "-c", SLEEPER, str(tmp_path / "mute")), ready=lambda: False)
    supervisor = Supervisor()
    with pytest.raises(SetupError, match="Not ready after 0 s: mute"):
        supervisor.start([mute])
    supervisor.stop()


def test_a_taken_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not port_is_free("127.0.0.1", taken.getsockname()[1])


def test_a_state_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="too long for a socket"):
        broker(tmp_path / ("x" * 100))
