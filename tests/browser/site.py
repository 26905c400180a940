"""The product in processes of its own, as script/serve runs it, on a database and a broker made for this."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.web import command
from upgrader.serving import programs

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "a-long-demo-password"  # of people who exist in tests only
BROWSER = "/usr/bin/chromium"
ARGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)


@dataclass
class Site:
    url: str
    web: subprocess.Popen[bytes]
    stage: subprocess.Popen[str]

    def scene(self, name: str, on: str = "eu-west", release: str = "1.3.0-2") -> int:
        """Make a rollout in the state called `name` (tests/scenes.py) and return its id."""
        assert self.stage.stdin
        assert self.stage.stdout
        self.stage.stdin.write(json.dumps({"name": name, "on": on, "release": release}) + "\n")
        self.stage.stdin.flush()
        return int(self.stage.stdout.readline())


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[Any]) -> None:
    """Return when `url` answers 200; RuntimeError after 90 s (a busy machine) or when the process ended."""
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer (the server's exit code: {process.poll()})")


@contextmanager
def child(argv: tuple[str, ...], env: dict[str, str], **kinds: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process that ends with the block, by its own id."""
    process = subprocess.Popen(argv, env=env, cwd=ROOT, **kinds)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


@contextmanager
def running(*, simulated: bool = False) -> Iterator[Site]:
    """The web server with its broker, and the stage hand that makes rows."""
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="site-")))
        env = {key: value for key, value in os.environ.items() if not key.startswith("HANDOVER_")}
        env.pop("DATABASE_URL", None)
        env.pop("REDIS_URL", None)
        env |= {"HANDOVER_STATE": str(state), "HANDOVER_SIMULATED": "1" if simulated else "", "HANDOVER_LOG": "WARNING"}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=env, cwd=ROOT, check=True)
        stack.enter_context(child(programs.broker(state).argv, env))
        port = free_port()
        web = stack.enter_context(child(command("127.0.0.1", port), env))
        hand = (sys.executable, "-m", "tests.browser.stage")
        stage = stack.enter_context(child(hand, env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        wait_for(f"http://127.0.0.1:{port}/readyz?of=web", web)
        yield Site(f"http://127.0.0.1:{port}", web, stage)
