"""What processes took, as the kernel counts it: processor time and memory of a process and all that it started."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """The process and its descendants that live now."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                waiting += [int(word) for word in children.read_text().split()]
            except OSError:
                continue  # a thread that has just ended
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time so far, user and system, with that of children which have ended and were waited for."""
    return sum(_ticks(pid) for pid in pids) / TICK


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size: what processes share counts once."""
    return sum(_pss_kb(pid) for pid in pids) / 1024


def by_program(pid: int) -> dict[str, float]:
    """Processor seconds so far of a running dashboard, by program; `pid` is its supervisor's."""
    took: dict[str, float] = defaultdict(float)
    for one in family(pid):
        took[called(one)] += _ticks(one) / TICK
    return took


def since(before: Mapping[str, float], after: Mapping[str, float], *, share: int) -> dict[str, float]:
    """Milliseconds of each program between two `by_program`, divided by `share`."""
    return {name: round(1000 * (after[name] - before.get(name, 0.0)) / share, 1) for name in sorted(after)}


def called(pid: int) -> str:
    """What the process calls itself; "gone" when it is no more."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"


def _ticks(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(word) for word in words[11:15])  # utime, stime, cutime, cstime


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
