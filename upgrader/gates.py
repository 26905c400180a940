"""From evidence to a verdict. Pure.

Everything here may be looked at as often as one likes: the evidence is that of sequential tests (upgrader/analysis), of
which one window in a hundred reaches FAIL by chance at most, over all critical metrics together, and one asks a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from typing import Any

from fleet.phrases import listed
from upgrader.analysis import rates
from upgrader.analysis.evalues import averaged, chance
from upgrader.analysis.rates import Counted
from upgrader.analysis.times import Pair
from upgrader.readings import ASKED, NOTHING, WEIGHTS, Reading, Sides, Whole, on_record, read
from upgrader.states import Outcome
from upgrader.strategy import Limits
from upgrader.strategy_spec import Metric

ALPHA = 0.01  # false alarms a window, all critical metrics together
SURE = log(1 / ALPHA)
FAILURES = 2  # one failed login is never enough
METHOD = "always-valid mixture tests; weighted average of e-values, over critical metrics and over those that ask"
NO_TRAFFIC = "no traffic"  # in the words of fleet.metrics.standing
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
    blind: Sequence[str] = ()  # sentences: a slot is silent, our probe is banned
    rates: Mapping[str, Sides] = field(default_factory=dict)  # of users, by metric
    times: Mapping[str, Sequence[Pair]] = field(default_factory=dict)  # what has a size, by metric, a pair a gateway
    gateways: int = 1
    facts: Mapping[str, str] = field(default_factory=dict)  # gateway → how it stands, where it is not fine
    sources: Mapping[str, int] = field(default_factory=dict)  # "collector", "gateway" → looks that were read from it
    whole: Whole = NOTHING  # gateways as a whole, from outside above all
    quiet: Mapping[str, Sequence[str]] = field(default_factory=dict)  # source → sentences why it tells nothing


@dataclass(frozen=True)
class Judgement:
    outcome: Outcome
    sentence: str
    numbers: dict[str, Any]


def judge(evidence: Evidence, limits: Limits) -> Judgement:
    """Return the verdict on what is known so far. Equality at a limit is allowed."""
    canary, control = evidence.canary, evidence.control
    heard = hear(evidence, limits)
    probes, weigh = heard.probes, heard.fails
    numbers = recorded(evidence, limits, heard)

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
        numbers["failed_by"] = weigh.worst.name
        why = f" Last: {canary.last_failure}" if weigh.worst is probes and canary.last_failure else ""
        return verdict(Outcome.FAIL, f"{weigh.worst.say}; {by_chance(weigh.total)}.{why}")
    return verdict(*unhurt(evidence, limits, heard))


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
    return Reading("probes", found, over, say, {"baseline": "the limit", **on_record(found, PROBES)})


def of(side: Side) -> str:
    return f"{side.failed} of {side.tried} logins failed on {side.release}"


@dataclass(frozen=True)
class Weighed:
    total: float  # the average of the metrics' e-values, as a logarithm
    weights: Mapping[str, float]  # of each, by its name
    worst: Reading | None  # the one that has most to say
    against: Sequence[Reading] = ()  # worse than tolerated, those with most to say first


@dataclass(frozen=True)
class Heard:
    """All that speaks for or against the release at one look."""

    probes: Reading
    readings: Sequence[Reading]
    fails: Weighed  # the critical metrics together
    asks: Weighed  # the others


def hear(evidence: Evidence, limits: Limits) -> Heard:
    probes = of_probes(evidence, limits)
    releases = (evidence.canary.release, evidence.control.release)
    readings = read(evidence.rates, evidence.times, limits, releases, whole=evidence.whole)
    fails, asks = weighed([probes, *readings], critical_of(limits)), weighed(readings, asking(limits))
    return Heard(probes, readings, fails, asks)


def critical_of(limits: Limits) -> dict[str, float]:
    """What can fail a wave, and its share of ALPHA."""
    names = ["probes", *(name for name, metric in limits.metrics.items() if metric.critical and metric.use)]
    return dict.fromkeys(names, 1 / len(names))


def asking(limits: Limits) -> dict[str, float]:
    """What asks a person, and its share of the false questions."""
    used = {name: WEIGHTS[name] for name, metric in limits.metrics.items() if metric.use and not metric.critical}
    return {name: weight / sum(used.values()) for name, weight in used.items()}


def weighed(readings: Sequence[Reading], weights: Mapping[str, float]) -> Weighed:
    """Several metrics together: what is no worse than tolerated counts as 0, what has no reading keeps its weight.

    The average of e-values is an e-value however they hang together, so nothing is lost to their being many but the
    weights.
    """
    against = [one for one in readings if one.name in weights and one.intolerable]
    against.sort(key=lambda one: -(one.evidence + log(weights[one.name])))
    total = averaged([weights[one.name] for one in against], [one.evidence for one in against])
    return Weighed(total, weights, against[0] if against else None, against)


def pointed(asks: Weighed) -> list[Reading]:
    """The metrics that ask a person: the worst of them, and each that would have asked alone."""
    if asks.total < ASKED:
        return []
    return [one for one in asks.against if one is asks.worst or one.evidence + log(asks.weights[one.name]) >= ASKED]


def unhurt(evidence: Evidence, limits: Limits, heard: Heard) -> tuple[Outcome, str]:
    """The verdict when nothing fails the release: is there enough that speaks for it?"""
    canary, both, asks = evidence.canary, heard.probes.say, heard.asks
    allowed = 1 - limits.login_success_min
    if evidence.silent:
        return Outcome.NO_EVIDENCE, f"No answer from {', '.join(evidence.silent)}. {both} before that."
    if blind := [*evidence.blind, *(say for name in limits.sources for say in evidence.quiet.get(name, ()))]:
        return Outcome.NO_EVIDENCE, f"{' '.join(blind)} {both} before that."
    if asked := pointed(asks):
        said = "; ".join(one.say for one in asked)
        return Outcome.INCONCLUSIVE, f"{said}; {by_chance(asks.total)}. {both}."
    if canary.tried < limits.min_logins:
        return Outcome.NO_EVIDENCE, f"{both}; {limits.min_logins} are needed for a verdict."
    if 1 - canary.failed / canary.tried >= limits.login_success_min:
        return Outcome.PASS, f"{both}.{beside_say(heard.readings)}{quiet_say(evidence.facts)}{outside_say(evidence)}"
    return Outcome.INCONCLUSIVE, f"{both}: more than the limit of {allowed:.1%}, but chance may do that."


def beside_say(readings: Sequence[Reading]) -> str:
    """What the users' own logins were held against, with their number; "" where none was tried."""
    logins = next((one for one in readings if one.name == "logins"), None)
    tried = logins.numbers["canary"]["tried"] if logins else 0
    if logins is None or not tried:
        return ""
    if not logins.baseline:
        return f" There is nothing to compare its users' {tried:,} logins with."
    the = "the " if logins.baseline.startswith("old") else ""
    return f" Its users' {tried:,} logins were compared with {the}{logins.baseline}."


def quiet_say(facts: Mapping[str, str]) -> str:
    """Where nobody but us signs in; "" where users do. Probes are logins too, so it is no reason against a PASS."""
    names = [name for name, fact in facts.items() if fact == NO_TRAFFIC]
    return f" No traffic on {listed(names)}: only our probes speak for the release there." if names else ""


def outside_say(evidence: Evidence) -> str:
    """Who else saw the gateways, and who should have and did not; "" where nobody else looks."""
    seen = sorted({by for by in evidence.whole.by.values() if by})
    said = [f"Seen by {listed(seen)}, too."] if seen else []
    said += dict.fromkeys(say for says in evidence.quiet.values() for say in says[:1])
    return "".join(f" {say}" for say in said)


def recorded(evidence: Evidence, limits: Limits, heard: Heard) -> dict[str, Any]:
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
        "weight": round(heard.fails.weights["probes"], 4),
        "by_chance": float(f"{chance(heard.fails.total):.3g}"),
        "asks_by_chance": float(f"{chance(heard.asks.total):.3g}"),
        "compare": limits.compare,
        "facts": dict(evidence.facts),
        "sources": dict(evidence.sources),
        "quiet": {name: list(says) for name, says in evidence.quiet.items()},
        "metrics": {one.name: dict(one.numbers) for one in (heard.probes, *heard.readings)},
    }


def by_chance(evidence: float) -> str:
    """Say evidence as a tired person understands it."""
    by = chance(evidence)
    if by <= 1e-4:
        return "by chance less than once in 10,000 windows"
    return f"by chance at most once in {round(1 / by):,} windows"
