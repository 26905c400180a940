"""The values that rules judge: from the collector's readings, and from how each gateway stands. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, Max, Sum

from fleet.alarms import complaints, outside
from fleet.alarms.metrics import METRICS, NEVER, Sums
from fleet.metrics import collect, counters, pages
from fleet.metrics.standing import Fact, Seen, Standing, standing
from fleet.metrics.store import FINEST
from fleet.models import Gateway, Reading, Watch

TELLS = frozenset({Fact.FINE, Fact.NO_TRAFFIC, Fact.PROBE_BANNED, Fact.SLOT_SILENT})
"""How a gateway may stand for its readings to be judged. Of all others another rule tells."""
LOOKS_LEAST = 6  # in a window, before it can be said that nothing was counted in it
MEANT = ("handshake_ms", "auth_seconds", "rtt_ms")
MOST = ("rss_bytes", "open_files")

Source = Callable[[Collection[int], float, float, float], Mapping[int, float]]
SOURCES: dict[str, Source] = {"complaints": complaints.values}
OUTSIDE: dict[str, Source] = {
    "outside_time": outside.signing_in,
    "outside_loss": outside.loss,
    **{name: outside.machine_of(name) for name in outside.MACHINE},
}
"""Metric → (gateways, window, least, now) → values; for what is not in readings. OUTSIDE: of those that don't answer
us, too."""


@dataclass(frozen=True)
class Watched:
    """One gateway as rules see it. `values` without a metric: not known; `blind`: it should be, and is not."""

    pk: int
    name: str
    pool: int
    values: dict[str, float]
    blind: set[str]


@dataclass(frozen=True)
class Wish:
    """What one rule wants measured."""

    metric: str
    window: float
    least: float


def gateways(wish: collect.Settings) -> list[Gateway]:
    """Those that the collector is to ask, with what judging them needs."""
    rows = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO).order_by("pk")
    return list(rows.only("pk", "name", "pool_id", "facts", "state")[: wish.most]) if wish.every else []


def standings(rows: Sequence[Gateway], *, wish: collect.Settings, now: float) -> dict[int, tuple[Seen, Standing]]:
    """How each stands, in two queries."""
    ids = [row.pk for row in rows]
    watches, banned = Watch.objects.in_bulk(ids), pages.banned_hosts(ids, now)
    found = {}
    for row in rows:
        watch = watches.get(row.pk) or Watch(gateway=row, asked_at=0.0)
        seen = pages.seen_of(row, watch, wish, hosts=banned.get(row.pk, ()))
        found[row.pk] = (seen, standing(seen, now))
    return found


def facts(seen: Seen, found: Standing, now: float) -> dict[str, float]:
    """What a standing says, as numbers."""
    silent = now - seen.answered_at if seen.answered_at else _asked_in_vain(seen)
    unasked = now - seen.asked_at if seen.asked_at else NEVER
    known = {"unwatched": unasked if found.fact is Fact.COLLECTOR_DOWN else 0.0}
    if found.fact is Fact.COLLECTOR_DOWN:
        return known
    known["silent"] = silent if found.fact is Fact.GATEWAY_DOWN else 0.0
    if found.fact is not Fact.GATEWAY_DOWN:
        known["slots_silent"] = float(len(set(seen.expected) - set(seen.slots)))
        known["probe_banned"] = float(len(seen.banned) + len(seen.banned_hosts))
    return known


def _asked_in_vain(seen: Seen) -> float:
    """For how many seconds one that has never answered was asked: nobody noted when that began."""
    often = min(seen.misses, collect.MISSES_UNTIL_SELDOM)
    return often * seen.every + (seen.misses - often) * collect.MISSED_EVERY


def watched(
    rows: Sequence[Gateway], wishes: Mapping[int, Collection[Wish]], *, wish: collect.Settings, now: float
) -> list[Watched]:
    """Every gateway with the values that its rules (`wishes`: gateway → what they want) judge."""
    stands = standings(rows, wish=wish, now=now)
    tell = [row.pk for row in rows if stands[row.pk][1].fact in TELLS]
    windows = {one.window for of in wishes.values() for one in of if METRICS[one.metric].value}
    summed = {window: sums(tell, window, now) for window in windows}
    more = sourced(tell, {one for of in wishes.values() for one in of}, now)
    found = {row.pk: Watched(row.pk, row.name, row.pool_id, facts(*stands[row.pk], now), set()) for row in rows}
    for pk in tell:
        here = found[pk]
        for one in wishes.get(pk, ()):
            if pk in more.get(one, {}):
                here.values[one.metric] = more[one][pk]
            elif METRICS[one.metric].value:
                _judge(here, one, summed[one.window].get(pk))
    return list(found.values())


def everywhere(
    rows: Sequence[Gateway],
    others: Sequence[Gateway],
    wishes: Mapping[int, Collection[Wish]],
    *,
    wish: collect.Settings,
    now: float,
) -> list[Watched]:
    """The same with what is seen from outside, and with `others`, which the collector does not ask."""
    found = {here.pk: here for here in watched(rows, wishes, wish=wish, now=now)}
    for row in others:
        found[row.pk] = Watched(row.pk, row.name, row.pool_id, {}, set())
    seen = outside.around([*rows, *others], now)
    for pk, known in outside.facts([*rows, *others], {row.pk for row in rows}, seen, now).items():
        found[pk].values.update(known)
    for one in {one for of in wishes.values() for one in of}:
        ids = [pk for pk in found if one in wishes[pk] and seen.tells(one.metric, pk)]
        if ids and one.metric in OUTSIDE:
            for pk, value in OUTSIDE[one.metric](ids, one.window, one.least, now).items():
                found[pk].values[one.metric] = value
        _by_server(found, one, [row.pk for row in others if row.pk in ids], now)
    return list(found.values())


def _by_server(found: Mapping[int, Watched], one: Wish, mine: Collection[int], now: float) -> None:
    """What Prometheus says in the collector's stead."""
    if not mine or one.metric not in outside.TOLD:
        return
    values, blind = outside.by_server(mine, one.metric, one.window, one.least, now=now)
    for pk, value in values.items():
        found[pk].values[one.metric] = value
    for pk in blind:
        found[pk].blind.add(one.metric)


def sourced(ids: Collection[int], wishes: Collection[Wish], now: float) -> dict[Wish, Mapping[int, float]]:
    """What is counted elsewhere."""
    found = {}
    for one in wishes:
        if (source := SOURCES.get(one.metric)) is not None:
            found[one] = source(ids, one.window, one.least, now)
    return found


@dataclass(frozen=True)
class Summed:
    looks: int
    users: float | None
    counts: Mapping[str, float | None]
    means: Mapping[str, float | None]
    most: Mapping[str, float | None]


def sums(ids: Collection[int], window: float, now: float) -> dict[int, Summed]:
    """Readings of the last `window` seconds, added up by gateway in the database."""
    rows = Reading.objects.filter(gateway__in=list(ids), span=FINEST, at__gt=int(now - window))
    added = {f"c_{name}": Sum(name) for name in counters.COUNTED}
    felt = {f"m_{name}": Avg(name) for name in MEANT} | {f"x_{name}": Max(name) for name in MOST}
    about = {"looks": Count("at", distinct=True), "users": Sum("sessions")}
    found: Iterable[Mapping[str, Any]] = rows.order_by().values("gateway_id").annotate(**added, **felt, **about)
    return {row["gateway_id"]: _summed(row) for row in found}


def _summed(row: Mapping[str, Any]) -> Summed:
    return Summed(
        row["looks"],
        None if row["users"] is None else row["users"] / row["looks"],
        {name: row[f"c_{name}"] for name in counters.COUNTED},
        {name: row[f"m_{name}"] for name in MEANT},
        {name: row[f"x_{name}"] for name in MOST},
    )


def _judge(here: Watched, one: Wish, summed: Summed | None) -> None:
    """Note the value, or that it is missing although it should be there."""
    metric = METRICS[one.metric]
    if summed is None or metric.value is None:
        here.blind.update([one.metric] if metric.counted else [])
        return
    value = metric.value(Sums(one.window, one.least, summed.users, summed.counts, summed.means, summed.most))
    if value is not None:
        here.values[one.metric] = value
    elif summed.looks >= LOOKS_LEAST and any(summed.counts[name] is None for name in metric.counted):
        here.blind.add(one.metric)
