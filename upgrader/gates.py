"""From evidence to a verdict. Pure.

Everything here may be looked at as often as one likes: the evidence is that of sequential tests (upgrader/analysis), of
which one window in a hundred reaches FAIL by chance at most, over all critical metrics together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

from upgrader.analysis import rates
from upgrader.analysis.evalues import averaged, chance
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair
from upgrader.readings import Reading, Sides, on_record, read
from upgrader.states import Outcome
from upgrader.strategy import Limits
from upgrader.strategy_spec import Metric

ALPHA = 0.01  # false alarms a window, all critical metrics together
SURE = log(1 / ALPHA)
FAILURES = 2  # one failed login is never enough
METHOD = "always-valid mixture tests; weighted average of e-values over critical metrics"
PROBES = Metric(use=True, critical=True, tolerated=1.0)


@dataclass(frozen=True)
class Side:
    """Probe logins on one side, summed over the gateways of the wave, since the share was shifted."""

    release: str
    tried: int = 0
    failed: int = 0
    restarts: int = 0
    last_failure: str = ""  # the probe's own sentence
    run: int = 0  # failures in a row up to now, on the gateway that has most of them

    @property
    def counted(self) -> Counted:
        return Counted(self.tried, self.failed, run=self.run)


@dataclass(frozen=True)
class Evidence:
    canary: Side
    control: Side
    lost: Sequence[str] = ()  # sentences: a gateway went back by itself, rebooted, or its slot died
    silent: Sequence[str] = ()  # names of gateways that have not answered lately
    rates: Mapping[str, Sides] = field(default_factory=dict)  # of users, by metric
    times: Mapping[str, Sequence[Pair]] = field(default_factory=dict)  # of probes, by metric, a pair a gateway
    gateways: int = 1


@dataclass(frozen=True)
class Judgement:
    outcome: Outcome
    sentence: str
    numbers: dict[str, Any]


def judge(evidence: Evidence, limits: Limits) -> Judgement:
    """Return the verdict on what is known so far. Equality at a limit is allowed."""
    canary, control = evidence.canary, evidence.control
    probes = of_probes(evidence, limits)
    readings = read(evidence.rates, evidence.times, limits.metrics, (canary.release, control.release))
    weigh = weighed([probes, *readings], limits)
    numbers = recorded(evidence, limits, [probes, *readings], weigh)

    def verdict(outcome: Outcome, sentence: str) -> Judgement:
        return Judgement(outcome, sentence, numbers)

    if evidence.lost:
        return verdict(Outcome.FAIL, " ".join(evidence.lost))
    if canary.restarts > limits.restarts_max:
        return verdict(
            Outcome.FAIL, f"{canary.release} restarted {canary.restarts} times; {limits.restarts_max} allowed."
        )
    if weigh.total >= SURE and weigh.worst is probes and too_many(control, limits, evidence.gateways):
        return verdict(Outcome.INCONCLUSIVE, f"{probes.say}: both fail, so it is not the release.")
    if weigh.total >= SURE and weigh.worst:
        why = f" Last: {canary.last_failure}" if weigh.worst is probes and canary.last_failure else ""
        return verdict(Outcome.FAIL, f"{weigh.worst.say}; {by_chance(weigh.total)}.{why}")
    return verdict(*unhurt(evidence, limits, probes, [one for one in readings if one.points and one.intolerable]))


def too_many(side: Side, limits: Limits, gateways: int = 1) -> bool:
    """More failures than the limit, and more than chance would show."""
    if side.failed < FAILURES or side.failed / side.tried <= 1 - limits.login_success_min:
        return False
    return rates.against_limit(side.counted, 1 - limits.login_success_min, among=gateways) >= SURE


def of_probes(evidence: Evidence, limits: Limits) -> Reading:
    """Probe logins have a limit of their own: their password is right, so nearly none may fail."""
    canary, control, allowed = evidence.canary, evidence.control, 1 - limits.login_success_min
    found = rates.against_limit(canary.counted, allowed, among=max(1, evidence.gateways))
    over = canary.failed >= FAILURES and canary.failed / canary.tried > allowed
    say = f"{of(canary)}, {control.failed} of {control.tried} on {control.release}"
    return Reading("probes", found, SURE, over, say, {"baseline": "the limit", **on_record(found, PROBES)})


def of(side: Side) -> str:
    return f"{side.failed} of {side.tried} logins failed on {side.release}"


@dataclass(frozen=True)
class Weighed:
    total: float  # the average of the critical metrics' e-values, as a logarithm
    weight: float  # of each
    worst: Reading | None  # the one that has most to say


def weighed(readings: Sequence[Reading], limits: Limits) -> Weighed:
    """All critical metrics together: what is no worse than tolerated counts as 0, what has no reading keeps its weight.

    The average of e-values is an e-value however they hang together, so nothing is lost to their being many but the
    weights.
    """
    names = ["probes", *(name for name, metric in limits.metrics.items() if metric.critical and metric.use)]
    against = [one for one in readings if one.name in names and one.intolerable]
    total = averaged([1 / len(names)] * len(against), [one.evidence for one in against])
    return Weighed(total, 1 / len(names), max(against, key=lambda one: one.evidence, default=None))


def unhurt(evidence: Evidence, limits: Limits, probes: Reading, pointed: Sequence[Reading]) -> tuple[Outcome, str]:
    """The verdict when nothing fails the release: is there enough that speaks for it?"""
    canary, both = evidence.canary, probes.say
    allowed = 1 - limits.login_success_min
    if evidence.silent:
        return Outcome.NO_EVIDENCE, f"No answer from {', '.join(evidence.silent)}. {both} before that."
    if pointed:
        said = " ".join(f"{one.say}; {by_chance(one.evidence)}." for one in pointed)
        return Outcome.INCONCLUSIVE, f"{said} {both}."
    if canary.tried < limits.min_logins:
        return Outcome.NO_EVIDENCE, f"{both}; {limits.min_logins} are needed for a verdict."
    if 1 - canary.failed / canary.tried >= limits.login_success_min:
        return Outcome.PASS, f"{both}."
    return Outcome.INCONCLUSIVE, f"{both}: more than the limit of {allowed:.1%}, but chance may do that."


def recorded(evidence: Evidence, limits: Limits, readings: Sequence[Reading], weigh: Weighed) -> dict[str, Any]:
    """What a verdict's row and its audit event hold: both sides, the limits, the method, and each metric's part."""
    canary, control = evidence.canary, evidence.control
    return {
        "canary": {"tried": canary.tried, "failed": canary.failed, "restarts": canary.restarts},
        "control": {"tried": control.tried, "failed": control.failed, "restarts": control.restarts},
        "limit": limits.login_success_min,
        "min_logins": limits.min_logins,
        "silent": list(evidence.silent),
        "method": METHOD,
        "alpha": ALPHA,
        "weight": round(weigh.weight, 4),
        "by_chance": float(f"{chance(weigh.total):.3g}"),
        "metrics": {one.name: dict(one.numbers) for one in readings},
    }


def by_chance(evidence: float) -> str:
    """Say evidence as a tired person understands it."""
    by = chance(evidence)
    if by <= 1e-4:
        return "by chance less than once in 10,000 windows"
    return f"by chance at most once in {round(1 / by):,} windows"
