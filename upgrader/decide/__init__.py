"""What the machine does next with one rollout. Pure: a snapshot in, one move out, safe to ask any number of times."""

from __future__ import annotations

from upgrader.decide.back import take_back
from upgrader.decide.forward import drained, evidence_came, go_on, ill_latecomers, latecomers
from upgrader.decide.seen import (
    CARRIES,
    NEEDS_ROLLBACK,
    WAVE_AT_WORK,
    Move,
    RolloutSeen,
    UpgradeSeen,
    WaveSeen,
    current,
    rollout,
)
from upgrader.decide.stops import failed_verdict, stuck, torn, waits
from upgrader.states import R

__all__ = [
    "CARRIES",
    "NEEDS_ROLLBACK",
    "WAVE_AT_WORK",
    "Move",
    "RolloutSeen",
    "UpgradeSeen",
    "WaveSeen",
    "current",
    "decide",
    "waits",
]


def decide(seen: RolloutSeen) -> Move | None:
    """Return the next move, or None to stay."""
    match seen.state:
        case R.WAITING_APPROVAL:
            return answered(seen)
        case R.UPGRADING:
            return failed_verdict(seen) or torn(seen) or stuck(seen) or latecomers(seen) or go_on(seen)
        case R.WAITING_PROMOTION:
            return failed_verdict(seen) or torn(seen) or stuck(seen) or latecomers(seen) or evidence_came(seen)
        case R.HELD:
            return failed_verdict(seen) or torn(seen) or ill_latecomers(seen)
        case R.DRAINING:
            return stuck(seen) or latecomers(seen) or drained(seen)
        case R.ROLLING_BACK:
            return take_back(seen)
        case _:
            return None


def answered(seen: RolloutSeen) -> Move | None:
    match seen.answer:
        case "approved":
            return rollout(R.UPGRADING, f"Approved; wave 1 {'waits' if seen.blocked else 'starts'}.")
        case "rejected":
            return rollout(R.REJECTED, "Rejected.")
        case "void" | "expired":
            return rollout(R.PLANNED, f"The request is {seen.answer}; submit it again.")
        case _:
            return None
