"""Blue-green's common moment: how far ahead it lies, and how many gateways can be asked before it comes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from fleet.phrases import count
from upgrader.flow import LEASE_SECONDS

LEAD_SECONDS, EACH_SECONDS = 4.0, 0.02
"""Until the moment: every gateway must have been asked by then. With 2 s some of 4 were asked too late at load 75."""
LEAD_MOST = LEASE_SECONDS["shift"] / 2
"""A gateway that was asked waits under the lease of its step: were that to end, it would be asked a second time."""
THREADS = 40
"""In one worker process. Each gateway that waits for the moment holds one, and a connection to the database: 5,000 at
once would be 5,000 of both."""
MOST = int((LEAD_MOST - LEAD_SECONDS) / EACH_SECONDS)  # over all processes


def lead(gateways: int) -> float:
    """Seconds from the decision until so many gateways shift; one alone waits for nobody."""
    return min(LEAD_MOST, LEAD_SECONDS + EACH_SECONDS * gateways) if gateways > 1 else 0.0


def too_many(gateways: Collection[int], *, workers: int) -> str:
    """Why these gateways (ids) can't be shifted in the same second by so many worker processes; "" when they can."""
    fullest = max(Counter(gateway % workers for gateway in gateways).values(), default=0)
    if fullest <= THREADS and len(gateways) <= MOST:
        return ""
    many = f"Blue-green would shift {count(len(gateways), 'gateway')} in the same second"
    if len(gateways) > MOST:
        return f"{many}, and that is kept for {MOST} at most. Choose a rolling strategy, or split the pool."
    here = "1 worker process waits" if workers == 1 else f"each of {workers} worker processes waits"
    return (
        f"{many}, and {here} for {THREADS} at most; one would have {fullest}. Choose a rolling strategy, or have more"
        " worker processes (HANDOVER_WORKERS)."
    )
