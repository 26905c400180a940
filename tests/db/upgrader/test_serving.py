"""script/serve with the real programs: kill -9 of any of them, and the work goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from redis import Redis
from redis.exceptions import RedisError

from tests.stack.site import pids

ROOT = Path(__file__).parents[3]
ONE_WORKER = {"HANDOVER_WORKERS": "1"}  # so that killing it is noticed
WITHIN = 60.0  # seconds; only a failing test waits that long


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as link:
        return int(link.getsockname()[1])


class Served:
    """A whole dashboard of its own under `state`."""

    def __init__(self, state: Path) -> None:
        self.state, self.port = state, free_port()
        env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        argv = [sys.executable, "-m", "upgrader.serving", "--port", str(self.port), "--logs", str(state / "logs")]
        self.said = state / "said"
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, env={**env, **ONE_WORKER, "HANDOVER_STATE": str(state)}, stderr=out
            )
        self.broker = Redis(unix_socket_path=str(state / "valkey.sock"))

    def pid(self, program: str) -> int:
        """The program's process id; 0 when it does not run now."""
        return pids(self.process.pid).get(program, 0)

    def consumed(self) -> bool:
        """True when the worker has taken everything from the queue, this message too."""
        try:
            with Celery(broker=f"redis+socket://{self.state}/valkey.sock") as app:
                app.send_task("upgrader.tasks.tick", retry=False)
            time.sleep(0.5)
            return self.broker.llen("celery") == 0
        except (OSError, RedisError):
            return False

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/livez", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="module")  # a start takes seconds
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    try:
        until(lambda: "Handover answers" in made.said.read_text())
        yield made
    finally:
        made.process.kill()  # the children die with it
        made.process.wait()
        made.broker.close()


@pytest.mark.parametrize("program", ["broker", "worker", "clock", "web", "crew"])
def test_goes_on_after_kill_9_of(served: Served, program: str) -> None:
    killed = served.pid(program)
    os.kill(killed, signal.SIGKILL)
    until(lambda: served.pid(program) not in (0, killed))
    until(served.consumed)
    until(served.answers)


def test_a_second_start_names_the_first(served: Served) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "upgrader.serving", "--port", str(free_port())],
        cwd=ROOT,
        env={**os.environ, "HANDOVER_STATE": str(served.state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"runs already on {served.state} (pid {served.process.pid})" in second.stderr


def test_ends_all_when_asked(served: Served) -> None:
    children = pids(served.process.pid).values()
    assert len(children) == 5
    served.process.terminate()
    assert served.process.wait(WITHIN) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert "killed" not in served.said.read_text()
    written = [served.said, *(served.state / "logs").glob("*.log")]
    told = [json.loads(line) for file in written for line in file.read_text().splitlines()]
    assert "upgrader.serving" in {line["logger"] for line in told}, "whoever speaks, it is one object a line"
