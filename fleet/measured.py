"""What a gateway's slot counts and how it feels, as `metrics` of docs/ocgate-protocol.md tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SlotMetrics:
    """Counters since the slot's start; gauges now. docs/metrics.md says what each means.

    What has a default is told by ocgate since it keeps notes between two looks; None: it does not know, or is older.
    """

    slot: int
    release: str
    version: str
    sessions: int
    logins: int
    auth_failures: int
    session_errors: int
    cpu_seconds: float
    rss_bytes: int
    open_files: int
    restarts: int
    up_since: float
    arrivals: int | None = None
    reconnects: int | None = None
    departures: int | None = None
    bans: int | None = None
    crashes: int | None = None
    segments: int | None = None
    retransmitted: int | None = None
    handshake_ms: float | None = None
    rtt_ms: float | None = None
    rtt_p95_ms: float | None = None
    auth_seconds: float | None = None
    late_failures: int | None = None
    banned: int | None = None
    banned_ours: int | None = None
    banned_probes: int | None = None
    dtls: int | None = None
    threads: int | None = None
    processes: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    logged: bool = True
    reasons: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)
