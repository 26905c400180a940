"""The dashboard as processes of its own: its commands, its start, its end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
READY_WITHIN = 60.0  # seconds
ENDS_WITHIN = 8.0  # seconds; the supervisor itself needs at most 6


class DemoError(RuntimeError):
    """The demonstration can't go on; the message is one sentence with the way on."""


def port_is_free(port: int) -> bool:
    """True when the dashboard may listen on that port of 127.0.0.1."""
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            link.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Dashboard:
    """One dashboard with its state in a folder that is made afresh."""

    def __init__(self, state: Path, *, port: int, simulated: bool, say: Callable[[str], None]) -> None:
        self.state, self.port, self.say = state, port, say
        self.address = f"http://127.0.0.1:{port}/"
        self.logs = state / "logs"
        # The demonstration wipes its state: somebody's own database and broker are none of its business.
        kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        self.env = {"HANDOVER_LOG": "text", **kept}
        self.env |= {"HANDOVER_STATE": str(state), "HANDOVER_SIMULATED": "1" if simulated else ""}
        self.options: tuple[str, ...] = ()  # more of script/serve's
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make a fresh state folder and the database in it."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(mode=0o700, parents=True)
        self.manage("migrate", "--no-input", "--verbosity", "0")

    def manage(self, *words: str, stdin: str = "", seconds: float = 120) -> str:
        """Run a manage.py command; what it wrote. DemoError with its last line when it fails."""
        argv = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            argv, input=stdin, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            raise DemoError(f"manage.py {words[0]} failed: {last}")
        return done.stdout

    def start(self) -> None:
        """Start all its processes and wait until it answers; DemoError with the reason it gave when it does not."""
        out = (self.state / "supervisor.log").open("wb")
        argv = [sys.executable, "-m", "upgrader.serving", "--port", str(self.port), "--logs", str(self.logs), "--leash"]
        argv += self.options
        with out:
            self._process = subprocess.Popen(
                # A pipe that nobody writes to: it closes when we die, however we die. A session of its own: Ctrl-C
                # reaches us only, and we end it in order.
                argv,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                cwd=ROOT,
                env=self.env,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_WITHIN
        while not self.said("Handover answers"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"The dashboard did not start: {self.last_words()}")
            time.sleep(0.1)

    @property
    def pid(self) -> int:
        """The supervisor's process id; 0 while it does not run."""
        return self._process.pid if self._process else 0

    def said(self, text: str) -> bool:
        return text in (self.state / "supervisor.log").read_text()

    def last_words(self) -> str:
        lines = (self.state / "supervisor.log").read_text().strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def wait(self) -> None:
        """Block until it ends by itself, which it does not do; DemoError with its last words."""
        if self._process is not None:
            self._process.wait()
            raise DemoError(f"The dashboard ended: {self.last_words()}")

    def stop(self) -> None:
        """End all its processes. Safe to call twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its children die with it
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None
