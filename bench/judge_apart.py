"""Lines of `script/bench judge` about sizes with no old slot beside them: other gateways, or the hour of the week.

All gateways move together (a busy hour), each wanders by itself, and each has a level of its own. An hour before is
told in steps of half a minute, the window as well.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import exp, log, sqrt
from typing import Any

from bench.judge_fleet import series
from upgrader import gates
from upgrader.analysis.apart import brings
from upgrader.analysis.times import Pair, Sums
from upgrader.readings import ASKED, OTHERS, WEEKS, Apart, of_apart
from upgrader.steps import apart
from upgrader.steps.told import Before, Lines, Seen
from upgrader.strategy import Limits
from upgrader.strategy_spec import METRICS, Compare

STEP, BEFORE, WINDOW = 30, 120, 30  # seconds; steps
GATEWAYS = 10
LEVEL = 0.5  # standard deviation of a level's logarithm
SPREAD = sqrt(log(1 + 0.3**2))
TOGETHER = 0.2  # how far all move together, with a long memory
WEEKLY = 0.1  # how far an hour differs from week to week
NAMES = ("rtt", "retransmissions", "memory", "cpu", "files", "door_time", "auth_time", "outside_time", "outside_rtt")


class Pool:
    """One metric on all gateways of a pool; the first is the canary."""

    def __init__(self, rng: random.Random, memory: float) -> None:
        self.together = series(rng, 0.97)
        self.own = [series(rng, memory) for _ in range(GATEWAYS + 1)]
        self.level = [LEVEL * rng.gauss(0, 1) for _ in range(GATEWAYS + 1)]

    def now(self, times: float = 1.0) -> list[float]:
        all_of = TOGETHER * next(self.together)
        sizes = [exp(level + all_of + SPREAD * next(own)) for level, own in zip(self.level, self.own, strict=True)]
        return [times * sizes[0], *sizes[1:]]


def told(values: dict[str, list[tuple[int, list[float]]]]) -> tuple[Lines, Lines]:
    """Mine and theirs as the observing step is given them."""
    mine = {name: {"0": {at: sizes[0] for at, sizes in steps}} for name, steps in values.items()}
    theirs = {
        name: {str(n): {at: sizes[n] for at, sizes in steps} for n in range(1, GATEWAYS + 1)}
        for name, steps in values.items()
    }
    return mine, theirs


def window(rng: random.Random, *, compare: Compare, memory: float, times: float) -> Iterator[dict[str, Any]]:
    """The sums after each look at a canary whose rtt is so many times what it was."""
    pools = {name: Pool(rng, memory) for name in NAMES}
    past = {name: [(STEP * n, pool.now()) for n in range(BEFORE)] for name, pool in pools.items()}
    hour = {}
    for name in NAMES:
        weeks = {n: (1.0, exp(WEEKLY * rng.gauss(0, 1))) for n in range(4)}
        hour[name] = brings(weeks) or 0.0
    tally = apart.begun(Before(*told(past), hour=hour), compare=compare, at={"gateway": 0.0})
    # What this week brings is of the same kind as what the others brought.
    moved = {name: exp(WEEKLY * rng.gauss(0, 1)) if compare == "past" else 1.0 for name in NAMES}
    for n in range(BEFORE, BEFORE + WINDOW):
        more = {name: moved[name] * (times if name == "rtt" else 1.0) for name in NAMES}
        now = {name: [(STEP * n, pool.now(more[name]))] for name, pool in pools.items()}
        tally = apart.kept(tally, Seen({"gateway": float(STEP * n)}, *told(now)))
        yield tally


def asks(tally: dict[str, Any], limits: Limits) -> bool:
    """Whether a person is asked, by these metrics alone and by their part of the false questions."""
    held = {apart.OTHERS: OTHERS, apart.HOURS: WEEKS}
    found = []
    for name, one in tally["series"].items():
        pair = Pair(Sums(*one["after"]), Sums(*one["before"]))
        sizes = [Apart(pair, held[one["held"]], *one["size"])]
        found.append(of_apart(name, sizes, METRICS[name], ("new", "old"), by=""))
    return gates.weighed(found, gates.asking(limits)).total >= ASKED


def moved_apart(runs: int, limits: Limits, *, compare: Compare, seed: int) -> dict[str, float]:
    """Share of windows in which a person is asked: without a fault, both memories, and with a round trip × 3."""
    lines = {"alarm": (0.0, 1.0), "alarm_ar08": (0.8, 1.0), "found": (0.0, 3.0), "found_ar08": (0.8, 3.0)}
    found = {}
    for name, (memory, times) in lines.items():
        hits = 0
        for run in range(runs):
            rng = random.Random(seed * 1_000_003 + run)
            looks = window(rng, compare=compare, memory=memory, times=times)
            hits += any(asks(tally, limits) for tally in looks)
        found[name] = hits / runs
    return found
