"""What probe hosts and Prometheus left in the database, by gateway. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Avg, Count, F, Max, Q, QuerySet, Sum

from fleet.metrics.standing import QUIET_SECONDS, Standing
from fleet.metrics.store import FINEST
from fleet.models import Gateway, OutsideReading, Probe, ProbeHost, ProbeReading, PrometheusSource, Reading
from fleet.probes.pages import why_not
from fleet.sources.facts import HostSeen, ServerSeen, by_probes, by_prometheus

LEAST_USERS = 5  # as in upgrader/steps/felt.py: with fewer one user's line is the whole number
LEAST_SEGMENTS = 200
PROCESSES = 2  # of an ocserv without users
STEP, PROBE_STEP = 30, 60  # seconds of one value of a line
MACHINE = {
    "machine_cpu": ("cpu_percent", 0.01),
    "machine_memory": ("memory_percent", 0.01),
    "retransmissions": ("retransmitted_percent", 0.01),
    "auth_time": ("auth_seconds", 1.0),
}
"""Metric → column of an OutsideReading, and what it is multiplied by."""
OUTSIDE = {
    "outside_time": "login_ms",
    "outside_handshake": "handshake_ms",
    "outside_rtt": "rtt_ms",
    "outside_jitter": "jitter_ms",
}
Lines = dict[str, dict[str, dict[int, float]]]
"""Metric → whose line (a gateway, or a gateway and who looked) → begin of a step in epoch seconds → size above 0."""


@dataclass(frozen=True)
class Tries:
    """Sign-ins and packets of probe hosts, summed."""

    tried: int = 0
    failed: int = 0
    banned: int = 0
    sent: int = 0
    lost: int = 0
    hosts: int = 0


def tries(gateways: Collection[int], *, since: float, until: float) -> Tries:
    """Of these gateways together, from `since` on and before `until`, epoch seconds."""
    rows = probes(gateways, since, until)
    told = rows.aggregate(
        *(Sum(name) for name in ("tried", "failed", "banned", "sent", "lost")), hosts=Count("host", distinct=True)
    )
    found = {name.removesuffix("__sum"): int(value or 0) for name, value in told.items()}
    # A probe that was banned was tried, and says nothing.
    return Tries(**{**found, "tried": found["tried"] - found["banned"]})


def probes(gateways: Collection[int], since: float, until: float) -> QuerySet[ProbeReading]:
    single = ProbeReading.objects.filter(gateway__in=gateways, span=ProbeReading.ONE)
    return single.filter(at__gte=int(since), at__lt=int(until))


def by_probe_hosts(gateways: Collection[int], *, since: float, until: float) -> Lines:
    """How long sign-ins from outside took; a line for each gateway and host: each host has a way of its own."""
    found: Lines = defaultdict(lambda: defaultdict(dict))
    step = F("at") - F("at") % PROBE_STEP
    rows = probes(gateways, since, until).annotate(n_at=step).values("gateway_id", "host_id", "n_at").order_by()
    told: Iterable[Mapping[str, Any]] = rows.annotate(**{f"n_{name}": Avg(name) for name in OUTSIDE.values()})
    for row in told:
        for metric, column in OUTSIDE.items():
            if value := row[f"n_{column}"]:
                found[metric][f"{row['gateway_id']}/{row['host_id']}"][row["n_at"]] = float(value)
    return found


def by_prometheus_of(gateways: Collection[int], *, since: float, until: float) -> Lines:
    """What exporters say of the machines."""
    found: Lines = defaultdict(lambda: defaultdict(dict))
    rows = OutsideReading.objects.filter(gateway__in=gateways, at__gte=int(since), at__lt=int(until))
    columns = [column for column, _ in MACHINE.values()]
    for gateway, at, *values in rows.values_list("gateway_id", "at", *columns):
        for (metric, (_, scale)), value in zip(MACHINE.items(), values, strict=True):
            if value:
                # A line of its own: where the collector's ends, this one is no continuation of it.
                found[metric][f"{gateway}/prometheus"][at // STEP * STEP] = scale * value
    return found


def by_collector(gateways: Collection[int], *, since: float, until: float, only: tuple[int, int] = (0, 0)) -> Lines:
    """Sizes a session as upgrader/steps/felt.py makes them of two slots. `only`: of this gateway this slot alone."""
    rows = Reading.objects.filter(gateway__in=gateways, span=FINEST, at__gte=int(since), at__lt=int(until))
    if only[1]:
        rows = rows.filter(~Q(gateway=only[0]) | Q(slot=only[1]))
    summed = {f"n_{name}": Sum(name) for name in ("sessions", "rss_bytes", "open_files", "cpu_seconds", "seconds")}
    summed |= {f"n_{name}": Sum(name) for name in ("segments", "retransmitted")}
    means = {f"n_{name}": Avg(name) for name in ("rtt_ms", "handshake_ms", "auth_seconds")}
    about = {"looks": Count("at", distinct=True), "slots": Count("slot", distinct=True)}
    told: Iterable[Mapping[str, Any]] = (
        rows.annotate(n_at=F("at") - F("at") % STEP)
        .values("gateway_id", "n_at")
        .order_by()
        .annotate(**summed, **means, **about)
    )
    found: Lines = defaultdict(lambda: defaultdict(dict))
    for row in told:
        for metric, value in sizes(row).items():
            if value > 0:
                found[metric][str(row["gateway_id"])][row["n_at"]] = value
    return found


def sizes(row: Mapping[str, Any]) -> dict[str, float]:
    """What one gateway felt in one step; what can't be known or told apart from noise is left out."""
    told = {name: float(row[f"n_{name}"] or 0) for name in ("rss_bytes", "open_files", "cpu_seconds", "seconds")}
    looks, slots, users = row["looks"], row["slots"], float(row["n_sessions"] or 0) / row["looks"]
    found = {"door_time": float(row["n_handshake_ms"] or 0), "auth_time": float(row["n_auth_seconds"] or 0)}
    if users >= LEAST_USERS:
        processes = users + PROCESSES * slots
        found["rtt"] = float(row["n_rtt_ms"] or 0)
        found["memory"] = told["rss_bytes"] / looks / processes
        found["files"] = told["open_files"] / looks / processes
        found["cpu"] = told["cpu_seconds"] / max(1.0, told["seconds"] / slots) / users
        if (segments := float(row["n_segments"] or 0)) >= LEAST_SEGMENTS:
            found["retransmissions"] = (float(row["n_retransmitted"] or 0) + 0.5) / (segments + 1)
    return found


def hosts_of(gateways: Collection[Gateway]) -> dict[int, list[HostSeen]]:
    """Gateway → each probe host of its pool with what it found there last. Two queries."""
    found: dict[int, list[HostSeen]] = {gateway.pk: [] for gateway in gateways}
    pools: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for pk, pool, name in ProbeHost.objects.values_list("pk", "pool_id", "name"):
        pools[pool].append((pk, name))
    if not pools:
        return found
    rows = Probe.objects.filter(gateway__in=found).values_list("host_id", "gateway_id", "at", "outcome", "failures")
    last = {(host, gateway): (at, outcome, failures) for host, gateway, at, outcome, failures in rows}
    for gateway in gateways:
        for pk, name in pools[gateway.pool_id]:
            at, outcome, failures = last.get((pk, gateway.pk), (0.0, "", 0))
            found[gateway.pk].append(HostSeen(name, at, outcome, failures))
    return found


def servers_of(gateways: Collection[Gateway], now: float) -> dict[int, ServerSeen | None]:
    """Gateway → what its pool's Prometheus said of it lately; None: the pool has none. Two queries."""
    sources = {source.pool_id: source for source in PrometheusSource.objects.all()}
    mine = {gateway.pk: sources.get(gateway.pool_id) for gateway in gateways}
    ids = [pk for pk, source in mine.items() if source]
    rows = OutsideReading.objects.filter(gateway__in=ids, at__gt=int(now - QUIET_SECONDS)).order_by() if ids else None
    used = Q(sessions__gt=0) | Q(logins__gt=0) | Q(failures__gt=0)
    told = {"last": Max("at"), "used": Max("at", filter=used), "users": Max("sessions")}
    found: Iterable[Mapping[str, Any]] = rows.values("gateway_id").annotate(**told) if rows is not None else ()
    last = {int(row["gateway_id"]): row for row in found}
    return {pk: _server(source, last.get(pk, {})) if source else None for pk, source in mine.items()}


def _server(source: PrometheusSource, row: Mapping[str, Any]) -> ServerSeen:
    here = (float(row.get("last") or 0), row.get("users"), float(row.get("used") or 0))
    return ServerSeen(source.name, source.answered_at, source.say, *here)


def standings(gateway: Gateway, now: float) -> dict[str, Standing]:
    """How one gateway stands by its probe hosts and by Prometheus: {"probes": …, "prometheus": …}."""
    hosts, server = hosts_of([gateway])[gateway.pk], servers_of([gateway], now)[gateway.pk]
    every = float(settings.PROBE_SECONDS)
    return {
        "probes": by_probes(gateway.name, hosts, every=every, now=now, why_not=why_not(gateway)),
        "prometheus": by_prometheus(gateway.name, server, quiet_after=QUIET_SECONDS, now=now),
    }
