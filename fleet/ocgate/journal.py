"""What ocgate writes down: every request that changed or was refused, and what `keep` did."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List

LOG_MAX = 16 * 1024 * 1024
EVENTS_KEPT = 200


def note(path: Path, entry: Dict[str, Any]) -> None:
    """Append one JSON line to the log. A full disk must not stop a rollback, so a failed write is let go."""
    line = json.dumps(entry, separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LOG_MAX:
            os.replace(path, path.with_name(path.name + ".1"))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError:
        return


def event(path: Path, *, at: float, code: str, say: str) -> None:
    """Remember what `keep` did, where `facts` finds it."""
    note(path, {"at": at, "code": code, "say": say})


def events(path: Path, *, last: int = 20) -> List[Dict[str, Any]]:
    """The last events, oldest first; a line that a crash cut is left out."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-last:]
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def tail(path: Path, *, most: int = 65536) -> str:
    """The end of a text file, at most `most` bytes; empty when there is none."""
    try:
        with path.open("rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - most))
            return source.read().decode("utf-8", "replace")
    except OSError:
        return ""
