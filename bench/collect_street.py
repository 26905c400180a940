"""A simulated gateway that measures as a real one does: two slots, every metric, counters that grow with the clock."""

from __future__ import annotations

import time
from collections.abc import Collection

from fleet.gateways.simulated import MemoryGateway
from fleet.measured import SlotMetrics


class Measured(MemoryGateway):
    """What `metrics` says has the size and the content of a real answer (tests/unit/ocgate/recorded/metrics)."""

    def metrics(self, *, probes: Collection[str] = ()) -> list[SlotMetrics]:
        now = time.time()
        return [slot_of(number, release, now) for number, release in ((1, "1.1.6-3"), (2, "1.3.0-2"))]


def slot_of(number: int, release: str, now: float) -> SlotMetrics:
    """Some hundred users; five sign in a minute, and one in twenty fails."""
    minutes, users = now / 60, 300 + int(now / 7) % 40
    return SlotMetrics(
        slot=number,
        release=release,
        version=release.split("-", maxsplit=1)[0],
        sessions=users,
        logins=int(6 * minutes),
        auth_failures=int(minutes / 4),
        session_errors=int(minutes / 9),
        cpu_seconds=round(now / 50, 2),
        rss_bytes=2_500_000 * users,
        open_files=40 + 9 * users,
        restarts=0,
        up_since=1_700_000_000.0,
        arrivals=int(5 * minutes),
        reconnects=int(minutes),
        departures=int(5 * minutes),
        bans=0,
        crashes=0,
        segments=int(900 * now),
        retransmitted=int(3 * now),
        handshake_ms=12.0 + now % 3,
        rtt_ms=38.0 + now % 5,
        rtt_p95_ms=140.0 + now % 20,
        auth_seconds=1.0,
        late_failures=0,
        banned=0,
        banned_ours=0,
        dtls=users - 20,
        threads=users + 3,
        processes=users + 3,
        rx_bytes=int(now * 1e5),
        tx_bytes=int(now * 1e6),
        reasons={"user disconnected": int(minutes), "unspecified error": int(minutes / 9)},
        clients={"Open AnyConnect VPN Agent v9.12": users - 60, "AnyConnect Windows 5.1.2.42": 60},
    )
