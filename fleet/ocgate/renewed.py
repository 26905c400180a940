"""Where there is no systemd to start it anew, `ocgate keep` itself goes on as the new program when its file changed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional, Tuple

from . import VERSION, receive, supervise
from .errors import Refused
from .run import run

Mark = Tuple[int, int, int]
"""Inode, time of the last change and size of a file: as long as they stay, its bytes need not be read."""


class Program:
    """The file that this process was started from."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark, self._sha256 = _mark(path), receive.sha256_of(path)

    def newer(self) -> str:
        """The version of what lies there by now, "" while it is what we are. One that doesn't start is refused, once.

        A file that is missing is one that is being exchanged.
        """
        mark = _mark(self._path)
        if mark is None or mark == self._mark:
            return ""
        self._mark, sha256 = mark, receive.sha256_of(self._path)
        if sha256 == self._sha256:
            return ""
        done = run([sys.executable, "-I", str(self._path), "--version"], timeout=20)
        said = done.out.split()
        if done.code != 0 or len(said) != 2 or said[0] != "ocgate":
            say = f"{self._path} was exchanged and does not start: {done.last_line[:200]}"
            raise Refused("program_bad", f"{say}. ocgate {VERSION} keeps on until another one is put there.")
        return said[1]


def own() -> Program:
    """What this process runs."""
    return Program(Path(supervise.program()[1]))


def become(*words: str) -> None:
    """Go on as what lies there now, in this process and with these words. Does not return."""
    argv = [*supervise.program(), *words]
    os.execv(argv[0], argv)  # nosec B606 # a list of ours, no shell


def _mark(path: Path) -> Optional[Mark]:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size
