"""Probes become readings of an hour, and each fineness is kept for its own time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Avg, Max, Min, Sum

from fleet.models import ProbeReading

ONE, HOUR = ProbeReading.ONE, ProbeReading.HOUR
LATE_SECONDS = 120  # a round may be stored so long after its first probe
SUMMED = ("tried", "failed", "banned", "dtls", "sent", "lost")
MEANT = ("connect_ms", "handshake_ms", "login_ms", "tunnel_ms", "rtt_ms", "jitter_ms", "kbit_s")
PLACE = ("gateway_id", "host_id", "slot")
AT_ONCE = 24  # hours, when some were missed
PURGE_MOST = 20_000  # rows in one statement


def roll_up(now: float) -> int:
    """Make the hours that are over and not made yet; return how many readings that are."""
    end = int(now - LATE_SECONDS) // HOUR * HOUR
    last = ProbeReading.objects.filter(span=HOUR).aggregate(last=Max("at"))["last"]
    # From the first probe that is in no hour yet: hours in which nobody probed make no row and hold up nothing.
    open_ = ProbeReading.objects.filter(span=ONE, at__gte=0 if last is None else last + HOUR)
    first = open_.aggregate(first=Min("at"))["first"]
    if first is None:
        return 0
    return sum(_make(hour) for hour in range(first // HOUR * HOUR, end, HOUR)[:AT_ONCE])


def _make(hour: int) -> int:
    single = ProbeReading.objects.filter(span=ONE, at__gte=hour, at__lt=hour + HOUR)
    counted = {f"n_{name}": Sum(name) for name in SUMMED} | {f"n_{name}": Avg(name) for name in MEANT}
    rows = single.values(*PLACE).annotate(n_release=Max("release"), **counted).order_by()
    made = [
        ProbeReading(span=HOUR, at=hour, **{name.removeprefix("n_"): value for name, value in row.items()})
        for row in rows
    ]
    with transaction.atomic():
        ProbeReading.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def purge(now: float) -> int:
    """Remove what was kept for long enough."""
    gone = 0
    for span, days in ProbeReading.KEEP_DAYS.items():
        old = ProbeReading.objects.filter(span=span, at__lt=int(now) - 86400 * days).values("pk")[:PURGE_MOST]
        gone += ProbeReading.objects.filter(pk__in=old)._raw_delete("default")
    return gone


def summed(gateway_id: int, *, since: float) -> dict[int, dict[str, float | None]]:
    """Host → counts and means of its single probes since then; those are kept for KEEP_DAYS."""
    single = ProbeReading.objects.filter(gateway=gateway_id, span=ONE, at__gte=int(since))
    counted = {f"n_{name}": Sum(name) for name in SUMMED} | {f"n_{name}": Avg(name) for name in MEANT}
    rows = single.values("host_id").annotate(**counted).order_by()
    return {int(row["host_id"]): {name: _plain(row, name) for name in (*SUMMED, *MEANT)} for row in rows}


def by_slot(gateway_id: int, *, since: float) -> dict[tuple[int, str], dict[str, float | None]]:
    """Slot and release that answered → counts and means over all hosts: both sides of a share, seen from outside.

    What never came as far as an address is in (0, ""): nobody knows which slot it was.
    """
    single = ProbeReading.objects.filter(gateway=gateway_id, span=ONE, at__gte=int(since))
    counted = {f"n_{name}": Sum(name) for name in SUMMED} | {f"n_{name}": Avg(name) for name in MEANT}
    rows = single.values("slot", "release").annotate(**counted).order_by("slot", "release")
    return {
        (int(row["slot"]), str(row["release"])): {name: _plain(row, name) for name in (*SUMMED, *MEANT)} for row in rows
    }


def _plain(row: Mapping[str, Any], name: str) -> float | None:
    value: float | None = row[f"n_{name}"]
    return value
