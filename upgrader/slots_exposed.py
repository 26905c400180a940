"""Each gateway's slots for Prometheus, as the collector last heard them: counters since the slot's start, and sizes."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fleet.metrics.counters import COUNTED
from fleet.models import Reading, Span, Watch

FRESH = 60  # seconds; what is older is no present size
LABELS = ("gateway", "slot", "release")
COUNTERS = {
    "logins": "Users who signed in or came back.",
    "failures": "Sign-ins that failed.",
    "errors": "Sessions that ended in an error.",
    "crashes": "Crashes of ocserv's processes.",
    "restarts": "Starts of the slot's ocserv after its first.",
    "bans": "Addresses that were banned.",
    "arrivals": "Sessions that began.",
    "departures": "Sessions that ended.",
    "reconnects": "Sessions that came back.",
    "segments": "TCP segments to users.",
    "retransmitted": "Those of them that were sent again.",
    "cpu_seconds": "Time that its processes computed.",
}
"""Column of a reading → help. The name is handover_slot_COLUMN_total."""
SIZES = {
    "sessions": ("sessions", "Users on it.", 1),
    "dtls": ("dtls_sessions", "Users with DTLS.", 1),
    "rss_bytes": ("memory_bytes", "Memory of its processes.", 1),
    "open_files": ("open_files", "Open files of its processes.", 1),
    "threads": ("threads", "Threads of its processes.", 1),
    "rtt_ms": ("rtt_seconds", "Round trip to users, median.", 1000),
    "handshake_ms": ("handshake_seconds", "TCP and TLS with the slot's own door.", 1000),
}
"""Column of a reading → name after handover_slot_, help, divisor."""


def slots(now: float) -> Iterator[Metric]:
    """Three queries, whatever the number of slots."""
    watches = list(Watch.objects.filter(answered_at__gte=now - FRESH).select_related("gateway").order_by("pk"))
    yield from counted(watches)
    yield from sized(watches, now)


def counted(watches: list[Watch]) -> Iterator[Metric]:
    families = {
        column: CounterMetricFamily(f"handover_slot_{column}", say, labels=LABELS) for column, say in COUNTERS.items()
    }
    for watch in watches:
        for slot, last in watch.slots.items():
            if last.get("at") != watch.answered_at:
                continue  # silent: what it said before is not what it says
            for column, family in families.items():
                if (value := last.get(COUNTED[column])) is not None:
                    family.add_metric([watch.gateway.name, slot, str(last.get("release", ""))], float(value))
    yield from families.values()


def sized(watches: list[Watch], now: float) -> Iterator[Metric]:
    names = {watch.pk: watch.gateway.name for watch in watches}
    rows = Reading.objects.filter(gateway__in=list(names), span=min(Span.DEFAULTS), at__gte=int(now - FRESH))
    found = rows.order_by("at").values("gateway_id", "slot", "release", *SIZES)
    newest = {(row["gateway_id"], row["slot"]): row for row in found}
    for column, (name, say, divisor) in SIZES.items():
        family = GaugeMetricFamily(f"handover_slot_{name}", say, labels=LABELS)
        for (gateway, slot), row in sorted(newest.items()):
            if row[column] is not None:
                family.add_metric([names[gateway], str(slot), row["release"]], float(row[column]) / divisor)
        yield family
