"""Failures of tries: against a limit, and against what else was tried at the same time and before. Pure.

Both are mixtures of sequential probability ratio tests (Wald 1945, Robbins 1970), so they may be looked at after every
try. They read sums only: what a killed worker leaves in the database is all that the next one needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, log1p

from upgrader.analysis.evalues import log_sum

INTERVAL = 6  # looks that are taken together to see whether failures come in bursts: 30 s at a look in 5
# What a bad release does to the odds of a failure; the last is one where nearly nothing works any more.
ODDS = (2.0, 5.0, 15.0, 50.0, 1000.0)
TIMES_MORE = (8.0, 25.0)  # and to the rate, beside another one
SUDDEN = 0.3  # of the weight is for a release that fails altogether from some look on: three in a row at 2 %
HORIZON = 180  # looks among which that one is sought: a window of 15 minutes
STEADY = 5.0  # failures' worth of belief that they come one by one
AGREE = log(10.0)  # with less evidence against it, the past speaks for the present


@dataclass(frozen=True)
class Counted:
    """Tries and failures of one side, summed. Adding two sides up adds their sums."""

    tried: float = 0.0
    failed: int = 0
    squares: float = 0.0  # Σ tried² over closed intervals
    together: int = 0  # Σ failed·(failed - 1) over them: ordered pairs that fell into the same one
    hits: int = 0  # those of them with failures, and the open one
    run: int = 0  # failures without a success since; of several gateways the longest
    looks: int = 0  # in the open interval
    tried_now: float = 0.0
    failed_now: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.tried + other.tried,
            self.failed + other.failed,
            self.squares + other.squares,
            self.together + other.together,
            self.hits + other.hits,
            max(self.run, other.run),
        )

    @property
    def rate(self) -> float:
        return self.failed / self.tried if self.tried else 0.0

    def looked(self, tried: float, failed: int) -> Counted:
        """The sums after one more look, since which so many were tried and so many of them failed."""
        looks, tried_now, failed_now = self.looks + 1, self.tried_now + tried, self.failed_now + failed
        close = looks >= INTERVAL
        return Counted(
            self.tried + tried,
            self.failed + failed,
            self.squares + (tried_now**2 if close else 0.0),
            self.together + (failed_now * (failed_now - 1) if close else 0),
            self.hits + (failed > 0 and failed == failed_now),
            (self.run + failed if failed == tried else 0) if tried else self.run,
            0 if close else looks,
            0.0 if close else tried_now,
            0 if close else failed_now,
        )


def against_limit(side: Counted, limit: float, *, among: int = 1) -> float:
    """Evidence that more than `limit` (0 to 1) fail. `among`: gateways over which the longest run was sought."""
    if limit <= 0.0:
        return inf if side.failed else 0.0
    if limit >= 1.0:
        return 0.0
    sudden = log(SUDDEN / (HORIZON * among)) - side.run * log(limit)
    return log_sum((log1p(-SUDDEN) + _steady(side, limit), sudden))


def _steady(side: Counted, limit: float) -> float:
    """The mixture over rates above the limit, the same one during the whole window."""
    if not 0.0 < limit < 1.0:
        return 0.0
    succeeded = side.tried - side.failed
    terms = []
    for odds in ODDS:
        rate = odds * limit / (1 - limit + odds * limit)
        terms.append(side.failed * log(rate / limit) + succeeded * log((1 - rate) / (1 - limit)))
    return log_sum(terms) - log(len(ODDS))


@dataclass(frozen=True)
class Compared:
    evidence: float  # that the canary fails more often than the baseline
    baseline: str  # which one that was, in words; "" when there is none
    rate: float  # of the baseline
    tried: float = 0.0  # there


def compared(canary: Counted, control: Counted, past: Counted) -> Compared:
    """The canary beside the old slot at the same time, and beside that slot's own past.

    The past makes rare failures countable; it is one with the present only while the old slot is as it was. If not,
    the canary must be worse than both: at another hour other people sign in, and strangers come to the new slot first.
    """
    if not control.tried and not past.tried:
        return Compared(0.0, "", 0.0)
    both = control + past
    if not past.tried:
        return beside(canary, control, "old slot")
    if not control.tried:
        return beside(canary, past, "its own past")
    if apart(control, past) < AGREE:
        return Compared(above(canary, both, spread=control), "old slot and its past", both.rate, both.tried)
    least = min(above(canary, control), above(canary, past, spread=control))
    rate = max(control.rate, past.rate)
    return Compared(least, "the worse of old slot and its past", rate, both.tried)


def beside(canary: Counted, other: Counted, baseline: str) -> Compared:
    """The canary beside one other set of tries. `baseline`: what that is, in words; without a try there it is none."""
    if not other.tried:
        return Compared(0.0, "", 0.0)
    return Compared(above(canary, other), baseline, other.rate, other.tried)


def apart(one: Counted, other: Counted) -> float:
    """Evidence that two sides fail at different rates, whichever is the worse."""
    return log_sum((above(one, other), above(other, one))) - log(2.0)


def above(canary: Counted, control: Counted, *, spread: Counted | None = None) -> float:
    """Evidence that the canary's rate is above the control's. `spread`: whose intervals tell bursts, else control's.

    Of all failures a share lands on the canary; if the rates are equal it is the canary's share of the tries. That
    asks nothing of the rate itself, so a baseline of zero is as good as any other.
    """
    share = canary.tried / (canary.tried + control.tried) if canary.tried and control.tried else 0.0
    if not 0.0 < share < 1.0:
        return 0.0
    burst = bursts(spread or control)
    terms = []
    for more in TIMES_MORE:
        worse = more * share / (more * share + 1 - share)
        ratio = canary.failed * log(worse / share) + control.failed * log((1 - worse) / (1 - share))
        terms.append(ratio / burst)
    return log_sum(terms) - log(len(TIMES_MORE))


def bursts(side: Counted) -> float:
    """How many failures come at once, at least 1: by how much more of them share an interval than if each came alone.

    Lloyd's mean crowding less what the rate itself explains, so one failure in a quiet interval is no burst.
    """
    if not side.failed:
        return 1.0
    return 1.0 + max(0.0, side.together - side.rate**2 * side.squares) / (side.failed + STEADY)
