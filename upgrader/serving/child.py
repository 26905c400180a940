"""One program as a child process: started, started again with a pause that grows, ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from upgrader.serving.programs import Program
from upgrader.serving.voice import Relay

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds before a start after an end; doubled each time
STEADY = 10.0  # a program that ran this long starts again after the first pause
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # prctl(2)
# Loaded before any fork: a child between fork and exec must not load libraries.
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Runs in the child before exec: the kernel signals it when its parent ends, however that ends."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)


def _popen(argv: tuple[str, ...], out: IO[bytes] | int | None) -> subprocess.Popen[bytes]:
    here = os.getpid()
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=out or sys.stderr,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=lambda: die_with(here),
    )


def be_called(name: str) -> None:
    """What ps and /proc/PID/comm say of this process."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_NAME, name.encode()[:15])


class Forked:
    """A function of this process's in a process of its own, which shares what was loaded; with the part of Popen's
    interface that Child needs. This process has one thread only.
    """

    def __init__(self, name: str, run: Callable[[], object], out: IO[bytes] | None) -> None:
        here = os.getpid()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(name, run, out, parent=here)

    def poll(self) -> int | None:
        """Its exit status as Popen gives it, None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raise subprocess.TimeoutExpired after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.02)
        return status


def _become(name: str, run: Callable[[], object], out: IO[bytes] | None, *, parent: int) -> None:
    """Be the child until `run` ends. Never returns: what our caller would clean up is his."""
    status = 1
    try:
        os.setsid()
        die_with(parent)
        be_called(name)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        if out is not None:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        run()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Child:
    """Keeps one program running. Times are seconds of time.monotonic()."""

    def __init__(self, program: Program, logs: Path | None, *, longest_pause: float = LONGEST_PAUSE) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.longest_pause = longest_pause
        self.pause = FIRST_PAUSE / 2
        self.due = 0.0  # when to start it (again)
        self.started = 0.0
        self.relay: Relay | None = None  # of a program that does not write our lines
        self._log = logs / f"{program.name}.log" if logs else None

    def start(self) -> None:
        """Start the program in a process group of its own, so that a Ctrl-C reaches only the supervisor."""
        if self.program.foreign:
            self._start_foreign()
            return
        out = self._log.open("ab") if self._log else None
        try:
            run = self.program.run
            self.process = Forked(self.program.name, run, out) if run else _popen(self.program.argv, out)
        finally:
            if out:
                out.close()
        self.started = time.monotonic()

    def _start_foreign(self) -> None:
        self.hush()
        self.relay = Relay(self.program.name, self._log)
        try:
            self.process = _popen(self.program.argv, self.relay.writing)
        finally:
            self.relay.started()
        self.started = time.monotonic()

    def hear(self) -> None:
        """Tell on what the program has said."""
        if self.relay is not None and not self.relay.pull():
            self.hush()

    def hush(self) -> None:
        """Nothing more comes of it."""
        if self.relay is not None:
            self.relay.close()
            self.relay = None

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
        finally:
            self.hush()
