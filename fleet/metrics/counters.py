"""From counters that only grow to what happened between two looks. Pure.

A counter that is lower than before began anew: all that it says happened since. So do the counters of a slot that was
started anew, whatever they say, and those of a process that was. A counter that was not known before has nothing to be
held against: its first value is no event, so a collector that starts, an ocgate that is upgraded and a gap make no
spike; after a gap the counts are spread over all of its seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.measured import SlotMetrics

COUNTED = {
    "arrivals": "arrivals",
    "reconnects": "reconnects",
    "departures": "departures",
    "logins": "logins",
    "failures": "auth_failures",
    "errors": "session_errors",
    "crashes": "crashes",
    "restarts": "restarts",
    "bans": "bans",
    "segments": "segments",
    "retransmitted": "retransmitted",
    "cpu_seconds": "cpu_seconds",
}
"""Column of a reading → counter of a slot."""
FELT = ("sessions", "dtls", "rss_bytes", "open_files", "threads", "rtt_ms", "rtt_p95_ms", "handshake_ms")
LOGGED = frozenset({"logins", "failures", "errors", "crashes", "bans"})
"""What only the slot's log tells: unknown where there is none to read."""
OF_THE_PROCESS = frozenset({"cpu_seconds"})
UP_SECONDS = 2.0  # two answers of one process may differ so much in when it began
KEPT = (*COUNTED.values(), "up_since", "release", "banned_ours", "banned_probes")


def kept(slot: SlotMetrics) -> dict[str, Any]:
    """What the next look is held against, for JSON."""
    return {name: getattr(slot, name) for name in KEPT}


def reading(slot: SlotMetrics, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The columns of one reading but for its place and time. `before`: what `kept` said at the look before."""
    counts = {column: _count(slot, before or {}, column) for column in COUNTED}
    if not slot.logged:
        counts |= dict.fromkeys(LOGGED)
    felt = {name: getattr(slot, name) for name in FELT}
    # occtl says 0 until it has seen a sign-in.
    return {"release": slot.release, **counts, **felt, "auth_seconds": slot.auth_seconds or None}


def is_used(slot: SlotMetrics, row: Mapping[str, Any]) -> bool:
    """Whether anybody is there, came or tried to come."""
    return slot.sessions > 0 or any((row[name] or 0) > 0 for name in ("arrivals", "logins", "failures"))


def _count(slot: SlotMetrics, before: Mapping[str, Any], column: str) -> float | None:
    name = COUNTED[column]
    now: float | None = getattr(slot, name)
    was: float | None = before.get(name)
    if now is None or was is None:
        return None
    return now if now < was or _is_fresh(slot, before, column) else now - was


def _is_fresh(slot: SlotMetrics, before: Mapping[str, Any], column: str) -> bool:
    if slot.release != before.get("release"):
        return True
    return column in OF_THE_PROCESS and slot.up_since > float(before.get("up_since") or 0.0) + UP_SECONDS
