"""Values of rules that come from probe hosts and Prometheus; and of gateways that nobody else asks. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Avg, Count, Q, QuerySet, Sum

from fleet.alarms.metrics import METRICS, Sums
from fleet.metrics import collect, counters
from fleet.metrics.standing import QUIET_SECONDS, Fact
from fleet.models import Gateway, OutsideReading, ProbeReading
from fleet.prometheus import poll
from fleet.sources import read
from fleet.sources.facts import HostSeen, ServerSeen, by_prometheus, failing

PROBES_SECONDS = 600.0  # that means of probes look back on at least: there is one a minute
MACHINE = {"machine_cpu": "cpu_percent", "machine_memory": "memory_percent", "tracked": "tracked_percent"}
COUNTED = ("logins", "failures", "errors")
TOLD = ("login_failures", "session_errors", "login_time", "loss")
"""What Prometheus tells of a gateway in the collector's stead."""


def elsewhere(wish: collect.Settings, collected: Collection[int]) -> list[Gateway]:
    """Gateways that the collector does not ask, of pools in which somebody else tells of them."""
    rows = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO).exclude(pk__in=collected if wish.every else [])
    told = Q(pool__prometheus__isnull=False) | Q(pool__probe_hosts__isnull=False)
    return list(rows.filter(told).distinct().order_by("pk").only("pk", "name", "pool_id", "state"))


def untold(wish: collect.Settings, collected: Collection[int]) -> int:
    """How many gateways nobody tells of: too many for the collector, and without a Prometheus."""
    rows = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO, pool__prometheus=None)
    return rows.exclude(pk__in=collected).count() if wish.every else 0


@dataclass(frozen=True)
class Around:
    """Who looks at gateways besides the collector, and what came last."""

    hosts: Mapping[int, Sequence[HostSeen]]
    servers: Mapping[int, ServerSeen | None]

    def tells(self, metric: str, gateway: int) -> bool:
        """Whether anybody could."""
        return bool(self.servers[gateway] if metric in MACHINE or metric in TOLD else self.hosts[gateway])


def around(rows: Sequence[Gateway], now: float) -> Around:
    return Around(read.hosts_of(rows), read.servers_of(rows, now))


def facts(rows: Sequence[Gateway], collected: Collection[int], seen: Around, now: float) -> dict[int, dict[str, float]]:
    """How each stands from outside, as numbers."""
    hosts, servers = seen.hosts, seen.servers
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        known = found.setdefault(row.pk, {})
        share = failing(hosts[row.pk], every=float(settings.PROBE_SECONDS), now=now)
        if share is not None:
            known["outside_failing"] = share
        if (server := servers[row.pk]) is not None:
            quiet = now - server.answered_at if server.answered_at else 0.0
            known["prometheus_silent"] = quiet if quiet > poll.QUIET_SECONDS else 0.0
        if row.pk not in collected:
            known |= stead(row, server, now)
            if hosts[row.pk]:
                known["probe_banned"] = float(sum(host.outcome == "banned" for host in hosts[row.pk]))
    return found


def stead(row: Gateway, server: ServerSeen | None, now: float) -> dict[str, float]:
    """What Prometheus says of one that the collector does not ask."""
    fact = by_prometheus(row.name, server, quiet_after=QUIET_SECONDS, now=now).fact
    if server is None or fact is Fact.COLLECTOR_DOWN:
        return {}
    if fact is Fact.GATEWAY_DOWN:
        return {"silent": now - server.told_at if server.told_at else QUIET_SECONDS}
    return {"silent": 0.0}


def probed(ids: Collection[int], window: float, now: float) -> QuerySet[ProbeReading]:
    since = int(now - max(PROBES_SECONDS, window))
    return ProbeReading.objects.filter(gateway__in=ids, span=ProbeReading.ONE, at__gt=since).order_by()


def loss(ids: Collection[int], window: float, least: float, now: float) -> Mapping[int, float]:
    """Gateway → packets of probe hosts that were lost, in percent of at least `least`."""
    rows = probed(ids, window, now).filter(sent__gt=0).values("gateway_id")
    told = rows.annotate(all=Sum("sent"), gone=Sum("lost")).values_list("gateway_id", "all", "gone")
    return {pk: 100 * (gone or 0) / max(least, sent) for pk, sent, gone in told}


def signing_in(ids: Collection[int], window: float, _: float, now: float) -> Mapping[int, float]:
    """Gateway → how long probe hosts take to sign in, ms."""
    rows = probed(ids, window, now).filter(login_ms__isnull=False).values("gateway_id")
    return dict(rows.annotate(took=Avg("login_ms")).values_list("gateway_id", "took"))


def machine_of(metric: str) -> Callable[[Collection[int], float, float, float], Mapping[int, float]]:
    """Gateway → the mean of what its exporter says, as a rule's values."""
    column = MACHINE[metric]

    def values(ids: Collection[int], window: float, _: float, now: float) -> Mapping[int, float]:
        rows = OutsideReading.objects.filter(gateway__in=ids, at__gt=int(now - window), **{f"{column}__isnull": False})
        return dict(rows.order_by().values("gateway_id").annotate(mean=Avg(column)).values_list("gateway_id", "mean"))

    return values


def by_server(
    ids: Collection[int], metric: str, window: float, least: float, *, now: float
) -> tuple[dict[int, float], set[int]]:
    """The values that Prometheus has of a metric of the collector's, and those of which it should have one."""
    rows = OutsideReading.objects.filter(gateway__in=ids, at__gt=int(now - window)).order_by().values("gateway_id")
    added = {f"c_{name}": Sum(name) for name in COUNTED}
    felt = {"users": Avg("sessions"), "auth": Avg("auth_seconds"), "again": Avg("retransmitted_percent")}
    values: dict[int, float] = {}
    blind: set[int] = set()
    for row in rows.annotate(**added, **felt, looks=Count("pk")):
        value = _value(row, metric, window, least)
        if value is not None:
            values[row["gateway_id"]] = value
        elif METRICS[metric].counted:
            blind.add(row["gateway_id"])
    return values, blind


def _value(row: Mapping[str, Any], metric: str, window: float, least: float) -> float | None:
    if metric == "loss":
        return None if row["again"] is None else float(row["again"])
    minutes = window / 60 / row["looks"]  # that one of the values is about: they are rates a minute
    counts: dict[str, float | None] = dict.fromkeys(counters.COUNTED)
    for name in COUNTED:
        told = row[f"c_{name}"]
        counts[name] = None if told is None else minutes * told
    of = METRICS[metric].value
    return of(Sums(window, least, row["users"], counts, {"auth_seconds": row["auth"]}, {})) if of else None
