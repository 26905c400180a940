"""Probes over time: how often a sign-in from outside fails, how long each phase takes, what is lost; a line a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Avg, Count, F, FloatField, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import Cast

from fleet.metrics.bands import ROLLING, Bucket, Panel, mean, share
from fleet.metrics.compare import Asked
from fleet.metrics.sides import Side
from fleet.models import Gateway, ProbeHost, ProbeReading

PANELS: Mapping[str, Panel] = {
    "failed": Panel("Sign-ins that fail", "%", share("failed", "good")),
    "connect": Panel("Until TCP", "ms", mean("connect_ms")),
    "handshake": Panel("Until TLS", "ms", mean("handshake_ms")),
    "login": Panel("Until signed in", "ms", mean("login_ms")),
    "tunnel": Panel("Until the tunnel", "ms", mean("tunnel_ms")),
    "rtt": Panel("Round trip through the tunnel", "ms", mean("rtt_ms")),
    "loss": Panel("Packets lost", "%", share("lost", "arrived")),
}
FELT = ("connect_ms", "handshake_ms", "login_ms", "tunnel_ms", "rtt_ms")
TONES = ("canary", "control", "other")  # of hosts in order of their names; more look like the last
HOSTS_MOST = 6
LEAST = 120  # seconds that a point has: one that was refused comes again after 5.5 min, and no gap is drawn for that
SINGLE_HOURS = 24 * ProbeReading.KEEP_DAYS[ProbeReading.ONE]


def asked(gateway: Gateway, now: float, hours: int, *, alarms: Mapping[str, float]) -> Asked:
    """The probe hosts of its pool as the lines of one gateway's charts. `alarms`: panel → threshold."""
    hosts = ProbeHost.objects.filter(pool=gateway.pool_id)[:HOSTS_MOST]
    sides = [
        Side(host.name, TONES[min(place, len(TONES) - 1)], Q(host=host.pk), [gateway.pk])
        for place, host in enumerate(hosts)
    ]
    least = max(LEAST, 2 * int(settings.PROBE_SECONDS))
    return Asked(sides, now - 3600 * hours, now, alarms=alarms, panels=PANELS, read=buckets, least=least)


def buckets(side: Side, *, since: float, until: float, step: int, now: float) -> list[Bucket]:
    """What one host found, from ROLLING seconds before `since` on; of what is older than single probes are, hours."""
    begin = int(since - ROLLING) // step * step
    whole = now - begin > 3600 * SINGLE_HOURS
    span = ProbeReading.HOUR if whole else ProbeReading.ONE
    rows = ProbeReading.objects.filter(side.of, gateway__in=side.gateways, span=span, at__gte=begin, at__lte=int(until))
    return [bucket(row) for row in summed(rows, step)]


def summed(rows: QuerySet[ProbeReading], step: int) -> Iterable[Mapping[str, Any]]:
    columns: dict[str, Any] = {f"n_{name}": Sum(name) for name in ("tried", "failed", "banned", "sent", "lost")}
    for name in FELT:
        value = Cast(name, FloatField())
        columns |= {f"n_{name}": Avg(value), f"n_{name}_low": Min(value), f"n_{name}_high": Max(value)}
    steps = rows.annotate(n_at=F("at") - F("at") % step).values("n_at").order_by("n_at")
    return steps.annotate(**columns, n_number=Count("pk"))


def bucket(row: Mapping[str, Any]) -> Bucket:
    """A probe that was banned is no sign-in: neither good nor failed."""
    told = {name.removeprefix("n_"): value for name, value in row.items() if name != "n_at"}
    tried = told["tried"] - told["banned"]
    known = {"failed": told["failed"], "good": tried - told["failed"]} if tried else {"failed": None, "good": None}
    arrived = None if told["sent"] is None else told["sent"] - (told["lost"] or 0)
    return Bucket(row["n_at"], {**told, **known, "arrived": arrived, "lost": told["lost"] if told["sent"] else None})
