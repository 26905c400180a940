"""One lock per kind of work, so that `stage` holds nothing that `restore` needs."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .errors import Retry

STEER = "steer"
"""Of everything that changes where new clients go."""


@contextmanager
def held(folder: Path, name: str, *, wait: float) -> Iterator[None]:
    """Hold lock `name` (steer, slot-N, stage-ID, state) or raise `busy` after `wait` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, name, time.monotonic() + wait)
        yield
    finally:
        os.close(handle)


def is_held(folder: Path, name: str) -> bool:
    """True while some process holds lock `name`."""
    try:
        handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _take(handle: int, name: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Retry("busy", f"Another request holds the lock {name!r}; ask again.") from None
            time.sleep(0.02)
