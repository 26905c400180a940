"""How long a wave may take: from what this pool's gateways took before, else from what the lab's take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from statistics import median

from fleet.phrases import count

BRINGS = ("preflight", "stage", "check", "start", "probe", "shift")
STEPS = (*BRINGS, "commit")
ENOUGH = 3  # measured runs of a step; fewer say nothing

USUAL: Mapping[str, float] = {
    "preflight": 1.0,
    "stage": 20.0,
    "check": 3.0,
    "start": 5.0,
    "probe": 2.0,
    "shift": 1.0,
    "commit": 1.0,
}
"""Seconds of each step on a gateway of the lab with a 10 MB bundle over a slow line (docs/performance.md)."""


@dataclass(frozen=True)
class Pace:
    """Seconds that each step takes on one gateway."""

    seconds: Mapping[str, float]
    measured: int = 0  # upgrades that were looked at; 0: nothing is known of this pool

    @property
    def say(self) -> str:
        """Where the times come from."""
        if not self.measured:
            return "Times are the usual ones: nothing was measured in this pool yet."
        return f"Times as measured in this pool: medians of its last {count(self.measured, 'upgrade')}."


USUAL_PACE = Pace(USUAL)


def pace(runs: Iterable[tuple[int, str, float]]) -> Pace:
    """Return the pace from finished steps (upgrade, name, seconds).

    Medians: one gateway behind a slow line must not make the plan of all others. A commit that was seen too seldom
    keeps its usual time.
    """
    taken: dict[str, list[float]] = {}
    upgrades = set()
    for upgrade, name, seconds in runs:
        if name in USUAL and seconds >= 0:
            taken.setdefault(name, []).append(seconds)
            upgrades.add(upgrade)
    known = {name: median(values) for name, values in taken.items() if len(values) >= ENOUGH}
    # All or nothing of what brings the release: half a measurement would be called one.
    if not set(BRINGS) <= set(known):
        return USUAL_PACE
    return Pace({**USUAL, **known}, len(upgrades))


def wave_seconds(gateways: int, *, at_once: int, shares: int, observe: int, pace: Pace) -> int:
    """Seconds from a wave's start to its end, when all goes well and nobody has to be waited for.

    The first share waits for all gateways of the wave; each further share shifts them again and is watched again. The
    old slots drain after that.
    """
    turns = ceil(gateways / at_once)
    bring = sum(pace.seconds[name] for name in BRINGS)
    again = (shares - 1) * turns * pace.seconds["shift"]
    return round(turns * (bring + pace.seconds["commit"]) + again + shares * observe)
