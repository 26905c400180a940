"""What a gateway is as a whole, and what others of its pool are, before and since a rollout touched it. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Avg, FloatField, Min, Sum
from django.db.models.functions import Cast

from fleet.metrics.standing import Fact
from fleet.models import Gateway, ProbeHost, ProbeReading, PrometheusSource, Reading, Span
from fleet.phrases import count
from fleet.sources import read
from fleet.sources.read import OUTSIDE, PROBE_STEP, STEP, Lines
from upgrader.analysis import apart
from upgrader.hours import HOUR, WEEKS, same_hours
from upgrader.models import Rollout, StepRun
from upgrader.steps.apart import ALL_RATES
from upgrader.steps.told import Before, Seen
from upgrader.strategy_spec import Source

BEFORE_SECONDS = 3600
TRIES_SECONDS = 6 * 3600  # sign-ins from outside are few
LATE = {"gateway": 10.0, "prometheus": 10.0, "probes": 120.0}
"""Source → how long after it happened something may be written."""
GRID = {"gateway": STEP, "prometheus": STEP, "probes": PROBE_STEP}
TOUCHING = ("drain_front", "replace", "reload", "shift")


def touched_at(rollout: Rollout, gateway: Gateway, now: float) -> float:
    """When this rollout began to change what users meet there; `now` where it has not."""
    steps = StepRun.objects.filter(upgrade__wave__rollout=rollout, upgrade__gateway=gateway, name__in=TOUCHING)
    first = steps.aggregate(first=Min("started_at"))["first"]
    return first.timestamp() if first else now


def sources_of(gateway: Gateway, *, sizes: bool) -> list[Source]:
    """Who can tell of it at all."""
    here: list[Source] = ["gateway"] if sizes else []
    if ProbeHost.objects.filter(pool=gateway.pool_id).exists():
        here.append("probes")
    if PrometheusSource.objects.filter(pool=gateway.pool_id).exists():
        here.append("prometheus")
    return here


def lines(source: str, gateways: Sequence[int], since: float, until: float, *, only: tuple[int, int] = (0, 0)) -> Lines:
    match source:
        case "probes":
            return read.by_probe_hosts(gateways, since=since, until=until)
        case "prometheus":
            return read.by_prometheus_of(gateways, since=since, until=until)
        case _:
            return read.by_collector(gateways, since=since, until=until, only=only)


def parted(found: Lines, gateway: int) -> tuple[Lines, Lines]:
    """The lines of one gateway, and those of the others."""
    mine: Lines = {}
    theirs: Lines = {}
    for metric, of in found.items():
        for who, line in of.items():
            side = mine if who.partition("/")[0] == str(gateway) else theirs
            side.setdefault(metric, {})[who] = line
    return mine, theirs


def before(
    rollout: Rollout, gateway: Gateway, others: Sequence[int], *, now: float, sizes: bool, zone: ZoneInfo
) -> Before:
    at = touched_at(rollout, gateway, now)
    found: Lines = {}
    for source in sources_of(gateway, sizes=sizes):
        # Whoever is nearest tells: what the collector has is not taken from Prometheus.
        told = lines(source, [gateway.pk, *others], at - BEFORE_SECONDS, at)
        found |= {metric: of for metric, of in told.items() if metric not in found}
    mine, theirs = parted(found, gateway.pk)
    tries = read.tries([gateway.pk], since=at - TRIES_SECONDS, until=at)
    rates = {"outside_logins": (tries.tried, tries.failed), "outside_loss": (tries.sent, tries.lost)}
    seconds = float(rollout.plan.get("spec", {}).get("observe_seconds", 0) or 0)
    hours = (at - BEFORE_SECONDS / 2, (now, now + seconds))
    return Before(mine, theirs, {name: one for name, one in rates.items() if one[0]}, brought(gateway.pk, hours, zone))


Hours = tuple[float, tuple[float, float]]
"""A moment of the time before; the begin and the end of the time that is watched."""


def brought(gateway: int, hours: Hours, zone: ZoneInfo) -> dict[str, float]:
    """What the hour of the week brings over the hour before, by metric, as upgrader.analysis.apart.brings says."""
    was, watched = hours
    base = dict(enumerate(same_hours(was, weeks=WEEKS, zone=zone)))
    found: dict[str, float] = {}
    for begun in {tuple(same_hours(moment, weeks=WEEKS, zone=zone)) for moment in watched}:
        then = dict(enumerate(begun))
        for metric, of in hourly(gateway, {*base.values(), *begun}).items():
            weeks = {n: (of[base[n]], of[then[n]]) for n in base if base[n] in of and then[n] in of}
            if (more := apart.brings(weeks)) is not None:
                # Of the hours that are watched the one that brings most: it must not look like the release.
                found[metric] = max(more, found.get(metric, more))
    return found


def hourly(gateway: int, hours: set[int]) -> dict[str, dict[int, float]]:
    """Metric → hour → its size, from the rolled-up readings of the collector and of the probe hosts."""
    found: dict[str, dict[int, float]] = {}
    rows = Reading.objects.filter(gateway=gateway, span=max(Span.DEFAULTS), at__in=hours).values("at").order_by()
    summed = {f"n_{name}": Sum(name) for name in ("sessions", "rss_bytes", "open_files", "cpu_seconds", "seconds")}
    summed |= {f"n_{name}": Sum(name) for name in ("segments", "retransmitted")}
    means = {f"n_{name}": Avg(name) for name in ("rtt_ms", "handshake_ms", "auth_seconds")}
    told: Iterable[Mapping[str, Any]] = rows.annotate(**summed, **means)
    for row in told:
        # Rolled up there is one row a slot, of which each is a mean already.
        slots = max(1, round(float(row["n_seconds"] or 0) / HOUR))
        for metric, value in read.sizes({**row, "looks": 1, "slots": slots}).items():
            if value > 0:
                found.setdefault(metric, {})[row["at"]] = value
    probes = ProbeReading.objects.filter(gateway=gateway, span=ProbeReading.HOUR, at__in=hours).values("at").order_by()
    means = {f"n_{name}": Avg(Cast(name, FloatField())) for name in OUTSIDE.values()}
    outside: Iterable[Mapping[str, Any]] = probes.annotate(**means)
    for row in outside:
        for metric, column in OUTSIDE.items():
            if value := row[f"n_{column}"]:
                found.setdefault(metric, {})[row["at"]] = float(value)
    return found


def due(since: Mapping[str, float], now: float) -> dict[str, float]:
    """Source → up to when whole steps are over and written by now; of those that have one since then."""
    until = {name: (now - LATE[name]) // GRID[name] * GRID[name] for name in since}
    return {name: at for name, at in until.items() if at > since[name]}


def seen(
    gateway: Gateway,
    others: Sequence[int],
    since: Mapping[str, float],
    *,
    until: Mapping[str, float],
    now: float,
    slot: int,
) -> Seen:
    """What each source of `until` says from its `since` on."""
    found: Lines = {}
    by: dict[str, str] = {}
    for source in until:
        told = lines(source, [gateway.pk, *others], since[source], until[source], only=(gateway.pk, slot))
        new = {metric: of for metric, of in told.items() if metric not in found}
        found |= new
        by |= dict.fromkeys([*new, *(ALL_RATES if source == "probes" else ())], who(source, gateway, since, now))
    mine, theirs = parted(found, gateway.pk)
    stands = read.standings(gateway, now) if since.keys() - {"gateway"} else {}
    of = {name: stands[name] for name in since if name in stands}
    return Seen(
        until=until,
        mine=mine,
        theirs=theirs,
        rates=rates(gateway, others, since, until) if "probes" in until else {},
        by={metric: say for metric, say in by.items() if say},
        quiet={name: one.say for name, one in of.items() if not one.evidence},
        facts={name: str(one.fact) for name, one in of.items() if one.fact is not Fact.FINE},
    )


def rates(
    gateway: Gateway, others: Sequence[int], since: Mapping[str, float], until: Mapping[str, float]
) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """Sign-ins from outside, and packets of theirs: of this gateway, and of the others."""
    window = {"since": since["probes"], "until": until["probes"]}
    mine, theirs = read.tries([gateway.pk], **window), read.tries(others, **window)
    return {
        "outside_logins": ((mine.tried, mine.failed), (theirs.tried, theirs.failed)),
        "outside_loss": ((mine.sent, mine.lost), (theirs.sent, theirs.lost)),
    }


def who(source: str, gateway: Gateway, since: Mapping[str, float], now: float) -> str:
    """A source as a verdict names it; "" for the gateways themselves."""
    match source:
        case "probes":
            hosts = read.tries([gateway.pk], since=since["probes"] - LATE["probes"], until=now).hosts
            return f"{count(hosts, 'probe host')} outside"
        case "prometheus":
            return "Prometheus"
        case _:
            return ""
