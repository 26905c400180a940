"""What each metric says about the release: the evidence against it, both sides in numbers, and a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

from upgrader.analysis import rates, times
from upgrader.analysis.evalues import chance
from upgrader.analysis.rates import Compared, Counted
from upgrader.analysis.times import Pair
from upgrader.metric_words import LEVELS, rate_say
from upgrader.strategy_spec import Compare, Limits, Metric

# What the metrics that ask a person must show together, as the weighted average of their e-values. The number is the
# one that was measured to hold 1 % a window: the memory of a series of times is estimated (docs/judge.md).
ASKED = log(38.0)
# Most of it is for what users notice first; the others are many and share the rest.
WEIGHTS: Mapping[str, float] = {
    "logins": 0.1,
    "session_errors": 0.1,
    "login_time": 0.7,
    "handshake_time": 0.06,
    "reconnects": 0.02,
    "rtt": 0.02,
    "retransmissions": 0.02,
    "memory": 0.02,
    "cpu": 0.02,
    "door_time": 0.02,
    "auth_time": 0.02,
    "complaints": 0.02,
}
SPREAD = 2  # intervals with failures: a burst in one is one user at a keyboard
OTHERS, WEEKS = "other gateways at the same time", "its own past at this hour of the week"


@dataclass(frozen=True)
class Sides:
    """A rate: on the new slots, on the old ones at the same time and before the first look, and elsewhere."""

    canary: Counted = Counted()
    control: Counted = Counted()
    past: Counted = Counted()
    others: Counted = Counted()  # other gateways of the pool at the same time
    weeks: Counted = Counted()  # these gateways at the same hour of other weeks


@dataclass(frozen=True)
class Reading:
    name: str
    evidence: float  # the logarithm of an e-value
    intolerable: bool  # by the size of the difference; equality with what is tolerated is allowed
    say: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        return str(self.numbers.get("baseline", ""))


def compared(sides: Sides, compare: Compare) -> Compared:
    """The canary beside the baseline that the strategy asks for; "best" is the first that there is."""
    if compare in ("best", "slots") and (compare == "slots" or sides.control.tried or sides.past.tried):
        return rates.compared(sides.canary, sides.control, sides.past)
    if compare == "control" or (compare == "best" and sides.others.tried):
        return rates.beside(sides.canary, sides.others, OTHERS)
    return rates.beside(sides.canary, sides.weeks, WEEKS)


def of_rate(
    name: str, sides: Sides, metric: Metric, releases: tuple[str, str], *, compare: Compare = "best"
) -> Reading:
    """`releases`: the new one and the old one."""
    found = compared(sides, compare)
    shown = found.evidence if sides.canary.hits >= SPREAD else min(0.0, found.evidence)
    other = {OTHERS: "other gateways", WEEKS: "the same gateways at this hour of other weeks"}
    return Reading(
        name,
        shown,
        sides.canary.rate > metric.tolerated * found.rate,
        rate_say(name, sides.canary, found, (releases[0], other.get(found.baseline, releases[1]))),
        {
            "baseline": found.baseline,
            "canary": side_of(sides.canary),
            "control": side_of(sides.control),
            "past": side_of(sides.past),
            "others": side_of(sides.others),
            "weeks": side_of(sides.weeks),
            "bursts": round(rates.bursts(sides.control), 2),
            **on_record(shown, metric),
        },
    )


def of_level(name: str, pairs: Sequence[Pair], metric: Metric, releases: tuple[str, str]) -> Reading:
    """A size that both slots of each gateway have at the same looks."""
    found, level = times.slower(pairs, tolerated=metric.tolerated), LEVELS[name]
    say = level.say.format(level.said(found.canary), releases[0], level.said(found.control), releases[1])
    return Reading(
        name,
        found.evidence,
        found.ratio > metric.tolerated,
        f"{say} (×{found.ratio:.2f}, {found.pairs:,} pairs)",
        {
            "baseline": "old slot at the same looks" if found.pairs else "",
            "pairs": found.pairs,
            "ratio": round(found.ratio, 3),
            f"canary_{level.unit}": float(f"{found.canary:.6g}"),
            f"control_{level.unit}": float(f"{found.control:.6g}"),
            **on_record(found.evidence, metric),
        },
    )


def read(
    found: Mapping[str, Sides], levels: Mapping[str, Sequence[Pair]], limits: Limits, releases: tuple[str, str]
) -> list[Reading]:
    """A reading of each metric that the strategy uses, in its order; one that has nothing to say says nothing."""
    readings = []
    for name, metric in limits.metrics.items():
        if not metric.use:
            continue
        if name in found:
            readings.append(of_rate(name, found[name], metric, releases, compare=limits.compare))
        # A size is compared with the old slot or with nothing: another gateway has other users and another line.
        if levels.get(name):
            readings.append(of_level(name, levels[name], metric, releases))
    return readings


def side_of(side: Counted) -> dict[str, int]:
    return {"tried": round(side.tried), "failed": side.failed}


def on_record(evidence: float, metric: Metric) -> dict[str, Any]:
    """What a verdict's numbers hold of each metric. Infinite evidence is written as the most that is told apart."""
    told = round(min(evidence, 700.0), 3) if isfinite(evidence) or evidence > 0 else -700.0
    by_chance = float(f"{chance(told):.3g}")
    return {"log_e": told, "by_chance": by_chance, "critical": metric.critical, "tolerated": metric.tolerated}
