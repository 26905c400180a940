"""What each metric says about the release: the evidence against it, both sides in numbers, and a sentence. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, isfinite, log
from typing import Any

from upgrader.analysis import rates, times
from upgrader.analysis.evalues import chance
from upgrader.analysis.rates import Compared, Counted
from upgrader.analysis.times import Pair
from upgrader.metric_words import LEVELS, rate_say
from upgrader.strategy_spec import Compare, Limits, Metric, Source

# What the metrics that ask a person must show together, as the weighted average of their e-values. The number is the
# one that was measured to hold 1 % a window: the memory of a series of times is estimated (docs/judge.md).
ASKED = log(38.0)
# Most of it is for what users notice first; the others are many and share the rest.
WEIGHTS: Mapping[str, float] = {
    "logins": 0.1,
    "session_errors": 0.1,
    "login_time": 0.7,
    "handshake_time": 0.06,
    **dict.fromkeys(
        (
            *("reconnects", "rtt", "retransmissions", "memory", "cpu", "files", "door_time", "auth_time", "complaints"),
            *("outside_logins", "outside_loss", "outside_time", "outside_handshake", "outside_rtt", "outside_jitter"),
            *("machine_cpu", "machine_memory"),
        ),
        0.01,
    ),
}
SPREAD = 2  # intervals with failures: a burst in one is one user at a keyboard
OTHERS, WEEKS = "other gateways at the same time", "its own past at this hour of the week"
HOURS_BEFORE = "its own hours before"
OUTSIDE_WORDS: Mapping[str, str] = {
    "old slot": OTHERS,
    "its own past": HOURS_BEFORE,
    "old slot and its past": "other gateways and its own hours before",
    "the worse of old slot and its past": "the worse of other gateways and its own hours before",
}
MOVED: Mapping[str, str] = {
    OTHERS: "itself before, as other gateways moved since",
    WEEKS: "itself before, as this hour of the week moves it",
}


@dataclass(frozen=True)
class Apart:
    """One gateway as a whole: how far it was from where others or other weeks let it be, since and before."""

    pair: Pair
    held: str  # OTHERS or WEEKS
    number: int = 0  # of the sizes themselves, since
    total: float = 0.0  # of their logarithms


@dataclass(frozen=True)
class Whole:
    """What is seen of whole gateways, by metric."""

    sizes: Mapping[str, Sequence[Apart]] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)  # who told it, "" or none for the gateways


NOTHING = Whole()


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
    name: str,
    sides: Sides,
    metric: Metric,
    releases: tuple[str, str],
    *,
    compare: Compare = "best",
    by: str = "",
) -> Reading:
    """`releases`: the new one and the old one."""
    found = from_outside(sides, compare) if name.startswith("outside_") else compared(sides, compare)
    shown = found.evidence if sides.canary.hits >= SPREAD else min(0.0, found.evidence)
    other = {OTHERS: "other gateways", WEEKS: "the same gateways at this hour of other weeks"}
    if name.startswith("outside_"):
        other = dict.fromkeys((OTHERS, *OUTSIDE_WORDS.values()), "others and before")
    return Reading(
        name,
        shown,
        sides.canary.rate > metric.tolerated * found.rate,
        rate_say(name, sides.canary, found, (releases[0], other.get(found.baseline, releases[1])))
        + (f", by {by}" if by else ""),
        {
            "baseline": found.baseline,
            **({"by": by} if by else {}),
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


def of_apart(name: str, found: Sequence[Apart], metric: Metric, releases: tuple[str, str], *, by: str) -> Reading:
    """A size of each gateway as a whole, beside its own time before: what moved others, or moves it weekly, is out."""
    told, level = times.slower([one.pair for one in found], tolerated=metric.tolerated), LEVELS[name]
    number = sum(one.number for one in found)
    now = exp(sum(one.total for one in found) / number) if number else 0.0
    held = OTHERS if any(one.held == OTHERS for one in found) else WEEKS
    say = level.say.format(level.said(now), releases[0], level.said(now / told.ratio), MOVED[held])
    return Reading(
        name,
        told.evidence,
        told.ratio > metric.tolerated,
        f"{say} (×{told.ratio:.2f}, {told.pairs:,} values{f' by {by}' if by else ''})",
        {
            "baseline": held if told.pairs else "",
            "by": by or "the gateways",
            "pairs": told.pairs,
            "ratio": round(told.ratio, 3),
            f"canary_{level.unit}": float(f"{now:.6g}"),
            f"control_{level.unit}": float(f"{now / told.ratio:.6g}"),
            **on_record(told.evidence, metric),
        },
    )


def from_outside(sides: Sides, compare: Compare) -> Compared:
    """Probe hosts beside other gateways at the same time, and beside what they found there before: nobody knows which
    slot a sign-in that failed would have come to, so it is the gateway as users meet it."""
    if compare == "control":
        return rates.beside(sides.canary, sides.others, OTHERS)
    if compare == "past":
        return rates.beside(sides.canary, sides.past, HOURS_BEFORE)
    found = rates.compared(sides.canary, sides.others, sides.past)
    return replace(found, baseline=OUTSIDE_WORDS.get(found.baseline, found.baseline))


def read(
    found: Mapping[str, Sides],
    levels: Mapping[str, Sequence[Pair]],
    limits: Limits,
    releases: tuple[str, str],
    *,
    whole: Whole = NOTHING,
) -> list[Reading]:
    """A reading of each metric that the strategy uses, in its order; one that has nothing to say says nothing."""
    readings = []
    for name, metric in limits.metrics.items():
        by = whole.by.get(name, "")
        if not metric.use or (limits.sources and source_of(name, by) not in limits.sources):
            continue
        if name in found:
            readings.append(of_rate(name, found[name], metric, releases, compare=limits.compare, by=by))
        # The old slot at the same looks is the nearest; what is beside it is for where there is none, or is asked for.
        asked = limits.compare in ("control", "past")
        if whole.sizes.get(name) and (asked or not levels.get(name)):
            readings.append(of_apart(name, whole.sizes[name], metric, releases, by=by))
        elif levels.get(name):
            readings.append(of_level(name, levels[name], metric, releases))
    return readings


def source_of(name: str, by: str) -> Source:
    """Whose word a metric is."""
    if name.startswith("outside_"):
        return "probes"
    return "prometheus" if name.startswith("machine_") or by == "Prometheus" else "gateway"


def side_of(side: Counted) -> dict[str, int]:
    return {"tried": round(side.tried), "failed": side.failed}


def on_record(evidence: float, metric: Metric) -> dict[str, Any]:
    """What a verdict's numbers hold of each metric. Infinite evidence is written as the most that is told apart."""
    told = round(min(evidence, 700.0), 3) if isfinite(evidence) or evidence > 0 else -700.0
    by_chance = float(f"{chance(told):.3g}")
    return {"log_e": told, "by_chance": by_chance, "critical": metric.critical, "tolerated": metric.tolerated}
