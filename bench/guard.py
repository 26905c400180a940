"""How a bench on the lab begins and ends: alone there, and with one sentence where it can't go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lab.commands import LabError
from lab.demo.dashboard import DemoError
from lab.demo.door import alone, stoppable
from lab.demo.pages import PageError


def guarded(state: Path, work: Callable[[], int], *also: type[Exception]) -> int:
    """Do the work and return its exit code; 1 for what is said in a sentence (`also`: more of that), 130 for Ctrl-C."""
    said: tuple[type[Exception], ...] = (DemoError, LabError, PageError, TimeoutError, *also)
    stoppable()
    try:
        with alone(state, "bench"):
            return work()
    except said as reason:
        print(reason, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Everything is taken down.", file=sys.stderr)
        return 130
