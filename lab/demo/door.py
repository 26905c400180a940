"""What the demonstration and the benchmark do at their door: only one at a time, and an end that takes all down."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from lab.demo.dashboard import DemoError


@contextlib.contextmanager
def alone(state: Path, name: str) -> Iterator[None]:
    """Hold the lock of a state folder, which is wiped at each start; DemoError names the process that has it."""
    state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with state.with_suffix(".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            pid = lock.read().strip()
            say = f"The {name} runs already (pid {pid}): use that one, or end it with Ctrl-C there or with: kill {pid}"
            raise DemoError(say) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def stoppable() -> None:
    """Turn the signals that ask for an end into KeyboardInterrupt, so that everything is taken down in order."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not interrupt the taking down.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
