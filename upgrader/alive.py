"""Who works on this machine: each process holds a lock that the kernel lets go when it ends, however it ends.

A process id says less: it is given away again, and in a container the next worker often has the same one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
import zlib
from pathlib import Path
from typing import IO

from django.conf import settings

_held: dict[str, IO[str]] = {}  # our token and its open lock; closing the file would let go
_one = threading.Lock()


def machine() -> str:
    """This installation on this machine: two checkouts side by side are two. At most 49 characters."""
    return f"{socket.gethostname()[:40]}-{zlib.crc32(str(settings.STATE).encode()):08x}"


def owner() -> str:
    """Who claims: this machine and this process. From the first call on `is_gone` knows whether it lives."""
    with _one:
        if not _held:
            _folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in _folder().iterdir():
                _removed(path)
            token = f"{os.getpid()}-{secrets.token_hex(4)}"
            _held[token] = _locked(_folder() / token)
        return f"{machine()}:{next(iter(_held))}"


def is_gone(name: str) -> bool:
    """True when `name` is an owner of this machine whose process has ended. Others are never known to be gone."""
    mine, _, token = name.rpartition(":")
    return mine == machine() and token not in _held and _removed(_folder() / Path(token).name)


def _locked(path: Path) -> IO[str]:
    while True:
        lock = path.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever cleans up may have found it before it was locked.
        if path.exists():
            return lock
        lock.close()


def _removed(path: Path) -> bool:
    """Remove the lock of a process that has ended; False when somebody holds it."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    return True


def _folder() -> Path:
    return Path(settings.STATE) / "workers"
