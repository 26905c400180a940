"""When a gateway may be probed again, so that no ban follows. Pure.

ocserv counts points an address: 1 a TCP connection, 10 a wrong password; 80 in 1,200 s are a ban of 300 s (1.4.2 and
newer; 30 within 300 s where an older one is told nothing). Half of that is ours: somebody may sit behind the same NAT.
"""

from __future__ import annotations

WINDOW, POINTS = 1200.0, 40
WRONG_PASSWORD = 10
BAN_SECONDS = 330.0  # the ban and a moment
LEAST = 15.0  # seconds between two probes, whatever is wished
CONNECTIONS = 2  # of a probe that does not say; some versions end the first one after the sign-in


def wait(every: float, outcome: str, *, connections: int = 0) -> float:
    """Seconds until the next probe, at least `every`. `outcome`: a name in verdict.Outcome, "" before any."""
    if outcome == "banned":
        return max(every, BAN_SECONDS)
    points = (connections or CONNECTIONS) + (WRONG_PASSWORD if outcome == "refused" else 0)
    return max(every, LEAST, points * WINDOW / POINTS)
