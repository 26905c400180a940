"""One program as a child process: started, started again with a pause that grows, ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from upgrader.serving.programs import Program

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds before a start after an end; doubled each time
STEADY = 10.0  # a program that ran this long starts again after the first pause
PR_SET_PDEATHSIG = 1  # prctl(2)
# Loaded before any fork: a child between fork and exec must not load libraries.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Runs in the child before exec: the kernel signals it when its parent ends, however that ends."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)


class Child:
    """Keeps one program running. Times are seconds of time.monotonic()."""

    def __init__(self, program: Program, logs: Path | None, *, longest_pause: float = LONGEST_PAUSE) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.longest_pause = longest_pause
        self.pause = FIRST_PAUSE / 2
        self.due = 0.0  # when to start it (again)
        self.started = 0.0
        self._log = logs / f"{program.name}.log" if logs else None

    def start(self) -> None:
        """Start the program in a process group of its own, so that a Ctrl-C reaches only the supervisor."""
        here = os.getpid()
        out = self._log.open("ab") if self._log else None
        try:
            self.process = subprocess.Popen(
                self.program.argv,
                stdin=subprocess.DEVNULL,
                stdout=out or sys.stderr,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: die_with(here),
            )
        finally:
            if out:
                out.close()
        self.started = time.monotonic()

    def look(self) -> int | None:
        """Return the exit status if the program has just ended, and set when it is due again; else None."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self.process = None
        now = time.monotonic()
        self.pause = min(FIRST_PAUSE if now - self.started > STEADY else self.pause * 2, self.longest_pause)
        self.due = now + self.pause
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and all that it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def end(self, deadline: float) -> bool:
        """Wait until `deadline`, then kill. True when the program ended by itself."""
        if self.process is None:
            return True
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
            return True
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait()
            return False
