"""Lines of `script/bench judge` about other gateways: as a baseline, and by whom of two changes failures came. Pure.

Gateways of a pool fail at different rates (`SWAY`), so a canary may be worse than the others without any fault.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from math import exp, log
from typing import Any

from bench.judge_fleet import LOOK, WINDOW, failing, poisson
from upgrader import gates
from upgrader.analysis.attribution import Cell, blame
from upgrader.analysis.rates import Counted
from upgrader.readings import Sides, of_rate
from upgrader.strategy import Limits
from upgrader.strategy_spec import METRICS

USUAL, BAD = 0.005, 0.1  # share of logins that fail
SWAY = 0.5  # standard deviation of the logarithm of a gateway's rate
OTHERS, A_MINUTE = 10, 10.0  # gateways, and logins a minute on each
BEFORE, AFTER = 60, 15  # minutes
# Gateways that only the first change came to, only the second, both, neither.
TOUCHED = {(True, False): 3, (False, True): 3, (True, True): 2, (False, False): 4}


def rate(rng: random.Random) -> float:
    """One gateway's own."""
    return USUAL * exp(SWAY * rng.gauss(0, 1) - SWAY * SWAY / 2)


def held_against_others(runs: int, limits: Limits, *, bad: bool, seed: int) -> dict[str, float]:
    """Windows in which users' logins alone fail a canary that has no old slot beside it: share, median minutes."""
    names = len(gates.critical_of(limits))
    found = []
    for run in range(runs):
        rng = random.Random(seed * 1_000_003 + run)
        mine, theirs = BAD if bad else rate(rng), [rate(rng) for _ in range(OTHERS)]
        sides = Sides()
        for number in range(1, WINDOW + 1):
            tried, beside = poisson(rng, A_MINUTE * LOOK / 60), [poisson(rng, A_MINUTE * LOOK / 60) for _ in theirs]
            failed = sum(failing(rng, count, share) for count, share in zip(beside, theirs, strict=True))
            canary = sides.canary.looked(tried, failing(rng, tried, mine))
            sides = replace(sides, canary=canary, others=sides.others.looked(sum(beside), failed))
            reading = of_rate("logins", sides, METRICS["logins"], ("new", "old"), compare="control")
            if reading.intolerable and reading.evidence - log(names) >= gates.SURE:
                found.append(number)
                break
    minutes = sorted(found)[len(found) // 2] * LOOK / 60 if found else float("inf")
    return {"failed": len(found) / runs, "minutes": minutes}


def blamed(runs: int, *, seed: int) -> dict[str, Any]:
    """Of windows in which one of two changes is bad, both are, or none: how often each was blamed."""
    told: dict[str, Any] = {}
    for name, worse in {"first": (True, False), "both": (True, True), "none": (False, False)}.items():
        counts = Counter(blame(cells(random.Random(seed * 1_000_003 + run), worse)).which for run in range(runs))
        told[name] = {which: round(count / runs, 4) for which, count in counts.most_common()}
    wrong = {"first": ("second", "both"), "none": ("first", "second", "both"), "both": ()}
    told["right"], told["both_told"] = told["first"].get("first", 0.0), told["both"].get("both", 0.0)
    told["wrong"] = max(sum(told[name].get(which, 0.0) for which in others) for name, others in wrong.items())
    return told


def cells(rng: random.Random, worse: tuple[bool, bool]) -> list[Cell]:
    """An hour before and a window after, of twelve gateways of which each has a rate of its own."""
    made = []
    for (one, two), gateways in TOUCHED.items():
        before, after = Counted(), Counted()
        for _ in range(gateways):
            own = rate(rng)
            now = BAD if (one and worse[0]) or (two and worse[1]) else own
            before += tries(rng, BEFORE, own)
            after += tries(rng, AFTER, now)
        group = f"{one} {two}"
        made.append(Cell(group, 0, False, False, before.tried, before.failed))
        made.append(Cell(group, 1, one, two, after.tried, after.failed))
    return made


def tries(rng: random.Random, minutes: int, share: float) -> Counted:
    tried = poisson(rng, A_MINUTE * minutes)
    return Counted(tried, failing(rng, tried, share))
