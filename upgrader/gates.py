"""From evidence to a verdict. Pure.

First cut: probe logins against a limit, with the old slot beside it as control. The probability is that of the
binomial tail at the limit (Clopper and Pearson's building block); looking often is not yet paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from upgrader.states import Outcome
from upgrader.strategy import Limits

SURE = 0.01  # a failure rate above the limit is believed when chance would show it less often than this


@dataclass(frozen=True)
class Side:
    """Probe logins on one side, summed over the gateways of the wave, since the share was shifted."""

    release: str
    tried: int = 0
    failed: int = 0
    restarts: int = 0
    last_failure: str = ""  # the probe's own sentence


@dataclass(frozen=True)
class Evidence:
    canary: Side
    control: Side
    lost: Sequence[str] = ()  # sentences: a gateway went back by itself, rebooted, or its slot died
    silent: Sequence[str] = ()  # names of gateways that have not answered lately


@dataclass(frozen=True)
class Judgement:
    outcome: Outcome
    sentence: str
    numbers: dict[str, Any]


def tail(failed: int, tried: int, rate: float) -> float:
    """P(at least `failed` of `tried` fail) when each fails with probability `rate`."""
    if failed == 0:
        return 1.0
    return max(0.0, 1.0 - sum(comb(tried, k) * rate**k * (1 - rate) ** (tried - k) for k in range(failed)))


def too_many(side: Side, limits: Limits) -> bool:
    """More failures than the limit, and more than chance would show."""
    if side.tried == 0 or side.failed / side.tried <= 1 - limits.login_success_min:
        return False
    return side.failed >= 2 and tail(side.failed, side.tried, 1 - limits.login_success_min) < SURE


def of(side: Side) -> str:
    return f"{side.failed} of {side.tried} logins failed on {side.release}"


def judge(evidence: Evidence, limits: Limits) -> Judgement:
    """Return the verdict on what is known so far. Equality at a limit is allowed."""
    canary, control = evidence.canary, evidence.control
    both = f"{of(canary)}, {control.failed} of {control.tried} on {control.release}"
    numbers: dict[str, Any] = {
        "canary": {"tried": canary.tried, "failed": canary.failed, "restarts": canary.restarts},
        "control": {"tried": control.tried, "failed": control.failed, "restarts": control.restarts},
        "limit": limits.login_success_min,
        "min_logins": limits.min_logins,
        "silent": list(evidence.silent),
    }

    def verdict(outcome: Outcome, sentence: str) -> Judgement:
        return Judgement(outcome, sentence, numbers)

    if evidence.lost:
        return verdict(Outcome.FAIL, " ".join(evidence.lost))
    if canary.restarts > limits.restarts_max:
        return verdict(
            Outcome.FAIL, f"{canary.release} restarted {canary.restarts} times; {limits.restarts_max} allowed."
        )
    if too_many(canary, limits):
        if too_many(control, limits):
            return verdict(Outcome.INCONCLUSIVE, f"{both}: both fail, so it is not the release.")
        chance = tail(canary.failed, canary.tried, 1 - limits.login_success_min)
        why = f" Last: {canary.last_failure}" if canary.last_failure else ""
        return verdict(Outcome.FAIL, f"{both}. At the limit chance shows this {frequency(chance)}.{why}")
    return unhurt(evidence, limits, both, verdict_numbers=numbers)


def unhurt(evidence: Evidence, limits: Limits, both: str, *, verdict_numbers: dict[str, Any]) -> Judgement:
    """The verdict when nothing speaks against the release: is there enough that speaks for it?"""
    canary = evidence.canary
    if evidence.silent:
        return Judgement(
            Outcome.NO_EVIDENCE, f"No answer from {', '.join(evidence.silent)}. {both} before that.", verdict_numbers
        )
    if canary.tried < limits.min_logins:
        return Judgement(Outcome.NO_EVIDENCE, f"{both}; {limits.min_logins} are needed for a verdict.", verdict_numbers)
    if 1 - canary.failed / canary.tried >= limits.login_success_min:
        return Judgement(Outcome.PASS, f"{both}.", verdict_numbers)
    return Judgement(
        Outcome.INCONCLUSIVE,
        f"{both}: more than the limit of {1 - limits.login_success_min:.1%}, but chance may do that.",
        verdict_numbers,
    )


def frequency(chance: float) -> str:
    """Say a probability as a tired person understands it."""
    if chance <= 1e-4:
        return "less than once in 10,000 windows"
    return f"once in {round(1 / chance):,} windows"
