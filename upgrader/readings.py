"""What each metric says about the release: the evidence against it, both sides in numbers, and a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

from upgrader.analysis import rates, times
from upgrader.analysis.evalues import chance
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair
from upgrader.strategy_spec import Metric

# What a metric alone must show before it is pointed out. 100 is one window in a hundred by Ville's inequality. For
# times the memory of the series is estimated, and the number is the one that was measured to hold 1 % (docs/judge.md).
SHOWN_BY_RATES, SHOWN_BY_TIMES = log(100.0), log(60.0)
SPREAD = 2  # intervals with failures: a burst in one is one user at a keyboard
WORDS: Mapping[str, str] = {
    "logins": "of users' logins failed",
    "session_errors": "of sessions ended in an error",
    "login_time": "A login",
    "handshake_time": "A handshake",
}


@dataclass(frozen=True)
class Sides:
    """A rate: on the new slots, on the old ones at the same time, and on those before the first look."""

    canary: Counted = Counted()
    control: Counted = Counted()
    past: Counted = Counted()


@dataclass(frozen=True)
class Reading:
    name: str
    evidence: float  # the logarithm of an e-value
    shown: float  # so much of it points the metric out by itself
    intolerable: bool  # by the size of the difference; equality with what is tolerated is allowed
    say: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def points(self) -> bool:
        return self.evidence >= self.shown


def of_rate(name: str, sides: Sides, metric: Metric, releases: tuple[str, str]) -> Reading:
    """`releases`: the new one and the old one."""
    found = rates.compared(sides.canary, sides.control, sides.past)
    shown = found.evidence if sides.canary.hits >= SPREAD else min(0.0, found.evidence)
    say = f"{share(sides.canary.rate)} {WORDS[name]} on {releases[0]}, {share(found.rate)} on {releases[1]}"
    tried = round((sides.control + sides.past).tried)
    return Reading(
        name,
        shown,
        SHOWN_BY_RATES,
        sides.canary.rate > metric.tolerated * found.rate,
        f"{say} ({sides.canary.tried:,.0f} and {tried:,} tries)",
        {
            "baseline": found.baseline,
            "canary": side_of(sides.canary),
            "control": side_of(sides.control),
            "past": {"tried": round(sides.past.tried), "failed": sides.past.failed},
            "bursts": round(rates.bursts(sides.control), 2),
            **on_record(shown, metric),
        },
    )


def of_time(name: str, pairs: Sequence[Pair], metric: Metric, releases: tuple[str, str]) -> Reading:
    found = times.slower(pairs, tolerated=metric.tolerated)
    say = f"{WORDS[name]} takes {found.canary:,.0f} ms on {releases[0]}, {found.control:,.0f} ms on {releases[1]}"
    return Reading(
        name,
        found.evidence,
        SHOWN_BY_TIMES,
        found.ratio > metric.tolerated,
        f"{say} (×{found.ratio:.2f}, {found.pairs:,} pairs)",
        {
            "baseline": "old slot at the same looks" if found.pairs else "",
            "pairs": found.pairs,
            "ratio": round(found.ratio, 3),
            "canary_ms": round(found.canary, 1),
            "control_ms": round(found.control, 1),
            **on_record(found.evidence, metric),
        },
    )


def read(
    found: Mapping[str, Sides],
    timed: Mapping[str, Sequence[Pair]],
    metrics: Mapping[str, Metric],
    releases: tuple[str, str],
) -> list[Reading]:
    """A reading of each metric that the strategy uses, in its order; one that has nothing to say says nothing."""
    readings = []
    for name, metric in metrics.items():
        if not metric.use:
            continue
        if name in found:
            readings.append(of_rate(name, found[name], metric, releases))
        if name in timed:
            readings.append(of_time(name, timed[name], metric, releases))
    return readings


def side_of(side: Counted) -> dict[str, int]:
    return {"tried": round(side.tried), "failed": side.failed}


def on_record(evidence: float, metric: Metric) -> dict[str, Any]:
    """What a verdict's numbers hold of each metric. Infinite evidence is written as the most that is told apart."""
    told = round(min(evidence, 700.0), 3) if isfinite(evidence) or evidence > 0 else -700.0
    by_chance = float(f"{chance(told):.3g}")
    return {"log_e": told, "by_chance": by_chance, "critical": metric.critical, "tolerated": metric.tolerated}


def share(rate: float) -> str:
    """A rate in percent, with the digits that a person needs."""
    return f"{100 * rate:.1f} %" if rate < 0.1 else f"{100 * rate:.0f} %"
