"""What a real gateway said while a release that leaks took over (tests/unit/fleet/quiet/recorded), played slowly.

Its five seconds are ten minutes here: a leak that the lab shows in five minutes is one of ten hours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.anomaly_series import BEGIN, WIDTH
from fleet.quiet.bins import Bin
from fleet.quiet.fit import LEAST, Case

FILE = Path(__file__).parent.parent / "tests" / "unit" / "fleet" / "quiet" / "recorded" / "leak.json"
NOT_READ = frozenset({"slot", "at", "seconds", "release"})
SCENES = ("recorded_leak", "recorded_quiet")
OLD, NEW = 1, 2


def line(told: dict[str, Any], slot: int) -> list[Bin]:
    """The rows of one slot as bins; times are those of the bench, BEGIN is when the new release took over."""
    made: dict[int, Bin] = {}
    for row in told["rows"]:
        if row["slot"] == slot:
            at = BEGIN + round((row["at"] - told["begin"]) / told["every"]) * WIDTH
            values = {name: value for name, value in row.items() if name not in NOT_READ}
            made[at] = Bin(at, row["seconds"] * WIDTH / told["every"], values)
    return [made[at] for at in sorted(made)]


def cases(name: str) -> Iterator[Case]:
    """What each look sees. "recorded_quiet": the old release alone, as if another had begun in the middle of it."""
    told = json.loads(FILE.read_text())
    old = [each for each in line(told, OLD) if each.at < BEGIN]
    if name == "recorded_quiet":
        half = len(old) // 2
        before, after, begin = old[:half], old[half:], old[half].at
    else:
        before, after, begin = old, [each for each in line(told, NEW) if each.at >= BEGIN], BEGIN
    for end in range(LEAST, len(after) + 1, 2):
        yield Case(begin, before, after[:end])
