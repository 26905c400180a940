"""What a slot's processes take, as /proc says (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

TICK, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """Of the main process and all its descendants. CPU with that of children that ended; shared pages count in each."""

    cpu_seconds: float
    rss_bytes: int
    open_files: int
    threads: int
    processes: int


def usage(main: int) -> Usage:
    """Read each process's stat once: a gateway with a thousand users has a thousand workers."""
    stats = _family(main)
    return Usage(
        cpu_seconds=round(sum(sum(map(int, fields[11:15])) for fields in stats.values()) / TICK, 2),
        rss_bytes=sum(int(fields[21]) for fields in stats.values()) * PAGE,
        open_files=sum(map(_open_files, stats)),
        threads=sum(int(fields[17]) for fields in stats.values()),
        processes=len(stats),
    )


def _family(main: int) -> Dict[int, List[str]]:
    stats = {int(entry): _stat(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()}
    children: Dict[int, List[int]] = {}
    for pid, fields in stats.items():
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found: Dict[int, List[str]] = {}
    todo = [main]
    while todo:
        pid = todo.pop()
        if stats.get(pid):
            found[pid] = stats[pid]
        todo += children.get(pid, [])
    return found


def _stat(pid: int) -> List[str]:
    """The fields behind the name, so that field N of proc(5) is at N - 3."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def _open_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
