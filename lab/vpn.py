"""One openconnect process: start, what its tunnel script noted, sign out."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.spaces import Corner
from lab.state import started_at

SCRIPT = Path(__file__).parent / "tunnel.sh"


@dataclass(frozen=True)
class Account:
    """Who signs in where: `server` is an address (IPv6 without brackets) of a gateway."""

    user: str
    password: str
    server: str

    @property
    def url(self) -> str:
        """The gateway as openconnect wants it."""
        return f"https://[{self.server}]/" if ":" in self.server else f"https://{self.server}/"


class Vpn:
    """openconnect for one account from one corner; its files NAME.events, NAME.log, NAME.pid lie in `folder`."""

    def __init__(self, corner: Corner, account: Account, *, folder: Path, ca: Path) -> None:
        self.corner, self.account = corner, account
        self._ca = ca
        self._events, self._log = folder / f"{corner.name}.events", folder / f"{corner.name}.log"
        self._pid = folder / f"{corner.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    def start(self) -> None:
        """Begin to sign in; returns at once. One that still runs is signed out first."""
        self.stop()
        self._events.write_bytes(b"")
        self._said_before = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.corner.enter(), *self.words(), self.account.url],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LAB_EVENTS": str(self._events)},
                start_new_session=True,
            )
        self._pid.write_text(f"{self._process.pid} {started_at(self._process.pid)}")
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(self.account.password.encode() + b"\n")
            self._process.stdin.close()

    def words(self) -> list[str]:
        """openconnect and its options."""
        who = ["openconnect", "--non-inter", "--passwd-on-stdin", f"--user={self.account.user}", "--interface=tun0"]
        trust = [f"--cafile={self._ca}", "--no-system-trust", f"--script={SCRIPT}", "--reconnect-timeout=300"]
        return [*who, *trust]

    def events(self) -> list[tuple[float, str]]:
        """What the tunnel script noted: (epoch seconds, connect | attempt-reconnect | reconnect | disconnect)."""
        if not self._events.exists():
            return []
        lines = (line.split() for line in self._events.read_text().splitlines())
        return [(float(words[0]), words[1]) for words in lines if len(words) > 1 and words[1] != "pre-init"]

    @property
    def pid(self) -> int:
        """The process that was started last, 0 before."""
        return int(self._pid.read_text().split()[0]) if self._pid.exists() else 0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        if self._process is not None and self._process.poll() is not None:
            return False
        try:
            pid, start = map(int, self._pid.read_text().split())
        except (OSError, ValueError):
            return False
        return started_at(pid) == start

    @property
    def connected(self) -> bool:
        """Whether the tunnel is up: the process lives and its last event was a connect or reconnect."""
        events = self.events()
        return bool(events) and events[-1][1] in ("connect", "reconnect") and self.running

    @property
    def said(self) -> list[str]:
        """What openconnect said since it was started last, line by line."""
        if not self._log.exists():
            return []
        lines = self._log.read_bytes()[self._said_before :].decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    @property
    def last_words(self) -> str:
        """The end of that, one line."""
        return next(reversed(self.said), "")

    def signal(self, number: int) -> None:
        """Send a signal to the process if it still is the one that was started."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def reap(self) -> None:
        """Collect the process after it was killed."""
        if self._process is not None:
            self._process.wait(20)

    def stop(self, seconds: float = 5) -> None:
        """Sign out and wait for the end; killed after `seconds`."""
        self.signal(signal.SIGINT)
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                deadline += seconds
            time.sleep(0.02)
        self.reap()
