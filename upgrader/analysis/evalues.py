"""Sums of evidence. All of it is in natural logarithms: a likelihood ratio of 100 failures is no number of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, inf, log

NOTHING = -inf  # the logarithm of 0


def log_sum(terms: Iterable[float]) -> float:
    """log(Σ exp(term)), without overflow."""
    found = [term for term in terms if term > NOTHING]
    if not found:
        return NOTHING
    most = max(found)
    return most if most == inf else most + log(sum(exp(term - most) for term in found))


def averaged(weights: Sequence[float], evidence: Sequence[float]) -> float:
    """The weighted average of e-values. An e-value again, whatever binds them together; weights sum to at most 1."""
    return log_sum(log(weight) + one for weight, one in zip(weights, evidence, strict=True) if weight > 0)


def chance(evidence: float) -> float:
    """In which share of windows chance alone gets this far, at most."""
    return exp(-max(0.0, evidence))
