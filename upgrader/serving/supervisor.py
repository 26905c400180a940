"""Keeps the programs running until it is told to stop."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from upgrader.serving.child import LONGEST_PAUSE, Child
from upgrader.serving.programs import Program, SetupError
from upgrader.serving.voice import line

READY_WITHIN = 30.0  # seconds for the programs to answer after their start
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def say(said: str, level: int = logging.INFO) -> None:
    """One line for the person or the journal."""
    print(line("upgrader.serving", said, level), file=sys.stderr, flush=True)  # noqa: T201 - the command's output


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor carries the number; the handler only has to exist."""


class Supervisor:
    """Starts children in order, restarts what ends, ends all in reverse order."""

    def __init__(
        self, *, logs: Path | None = None, leash: int | None = None, longest_pause: float = LONGEST_PAUSE
    ) -> None:
        self._logs = logs
        self._longest_pause = longest_pause
        self._leash = leash  # a descriptor; when its other end closes, whoever wanted us is gone
        self._groups: list[list[Child]] = []  # started together, in order
        self._wake, self._woken = socket.socketpair()
        self._stopping = False

    def listen(self) -> None:
        """Take the signals. Call once, from the main thread, before the first start."""
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in (*STOP, signal.SIGCHLD):
            signal.signal(number, _noted)

    def start(self, programs: Sequence[Program]) -> None:
        """Start the programs and wait until all that can say so are ready; SetupError after READY_WITHIN."""
        fresh = [Child(program, self._logs, longest_pause=self._longest_pause) for program in programs]
        self._groups.append(fresh)
        for child in fresh:
            child.start()
        waiting = [child for child in fresh if child.program.ready is not bool]
        deadline = time.monotonic() + READY_WITHIN
        while waiting and not self._stopping:
            waiting = [child for child in waiting if not child.program.ready()]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(child.program.name for child in waiting)
                raise SetupError(f"Not ready after {READY_WITHIN:.0f} s: {names}.")
            self._wait(0.05 if waiting else 0.0)
            self._restart_ended()

    def run(self) -> None:
        """Restart what ends until a signal says stop."""
        while not self._stopping:
            self._restart_ended()
            dues = [child.due for child in self._children if child.process is None]
            self._wait(max(0.0, min(dues) - time.monotonic()) if dues else None)

    def stop(self) -> None:
        """End everything, those that were started last first: nobody loses the broker while he ends."""
        for group in reversed(self._groups):
            for child in group:
                child.signal(signal.SIGTERM)
            began = time.monotonic()
            for child in group:
                if not child.end(began + child.program.grace):
                    say(f"{child.program.name}: killed after {child.program.grace:.0f} s", logging.WARNING)
        self._groups.clear()
        signal.set_wakeup_fd(-1)
        self._wake.close()
        self._woken.close()

    @property
    def _children(self) -> list[Child]:
        return [child for group in self._groups for child in group]

    def _restart_ended(self) -> None:
        for child in self._children:
            status = child.look()
            if status is not None and not self._stopping:
                again = f"starts again in {child.pause:.1f} s"
                say(f"{child.program.name}: ended with status {status}, {again}", logging.WARNING)
            if child.process is None and not self._stopping and time.monotonic() >= child.due:
                child.start()

    def _wait(self, seconds: float | None) -> None:
        """Sleep until a signal comes or the leash is let go, or for some seconds."""
        watched: list[int] = [self._wake.fileno()] if self._leash is None else [self._wake.fileno(), self._leash]
        heard = {child.relay.reading: child for child in self._children if child.relay is not None}
        readable, _, _ = select.select([*watched, *heard], [], [], seconds)
        for child in (heard[number] for number in readable if number in heard):
            child.hear()
        if self._leash is not None and self._leash in readable and not os.read(self._leash, 4096):
            self._stopping = True
        if self._wake.fileno() in readable and set(self._wake.recv(4096)) & {int(number) for number in STOP}:
            self._stopping = True
