"""Whose turn it is to steer: a shift that waits for its moment gives way to whatever comes meanwhile.

No lock is held while it waits, so a rollback never stands behind it. The turn lies in /run: no wait outlives a boot.
"""

from __future__ import annotations

import os
import time

from .errors import Refused
from .paths import Paths

LOOK_SECONDS = 0.2


def take(paths: Paths) -> str:
    """From now on it is ours; whoever waits has lost it."""
    mine = f"{os.getpid()}-{time.monotonic_ns()}"
    paths.run.mkdir(parents=True, exist_ok=True)
    # A name of its own: two that come at once must not write into one file.
    partial = paths.run / f"turn.{os.getpid()}"
    partial.write_text(mine)
    partial.replace(paths.run / "turn")
    return mine


def refuse_lost(paths: Paths, mine: str) -> None:
    """Raise `superseded` when somebody else has taken it."""
    if (paths.run / "turn").read_text() != mine:
        say = "This gateway was steered otherwise while the shift waited; it was not applied."
        raise Refused("superseded", say)


def wait(paths: Paths, *, moment: float) -> str:
    """Take the turn and wait for `moment` (monotonic seconds); raise `superseded` as soon as it is lost."""
    mine = take(paths)
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(left, LOOK_SECONDS))
        refuse_lost(paths, mine)
    return mine
