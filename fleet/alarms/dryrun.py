"""A rule held against the last day: how often it would have fired. Reads only.

What is stored of a day is a minute's sums, so it is judged each minute and not each 10 s: a limit that was passed for
less is not seen here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Avg, F, Max, Sum

from fleet.alarms.judge import Stand, judged
from fleet.alarms.metrics import METRICS, Metric, Sums
from fleet.alarms.outside import MACHINE, PROBES_SECONDS
from fleet.alarms.rules import Rule
from fleet.metrics import counters
from fleet.models import Gateway, OutsideReading, Pool, ProbeReading, Reading
from fleet.phrases import clock, count, listed

HOURS, STEP = 24, 60
MOST = 40  # gateways that are tried; more would take longer than a page may
FELT = ("handshake_ms", "auth_seconds", "rtt_ms")
WORST = ("rss_bytes", "open_files")
Series = Mapping[int, Sequence[tuple[int, float | None]]]
"""Gateway → (epoch seconds, value) in order of time."""


@dataclass(frozen=True)
class Tried:
    """`fired`: name of a gateway and when it began to fire there. `unknown`: nobody noted this metric's past."""

    fired: tuple[tuple[str, datetime], ...] = ()
    gateways: int = 0
    left_out: int = 0
    unknown: bool = False

    def say(self, now: datetime) -> str:
        """What would have been, in one sentence or two."""
        if self.unknown:
            return "How this was in the past is not kept, so it can’t be tried."
        if not self.gateways:
            return f"Nothing of this was measured in the last {HOURS} h."
        only = f" {count(self.left_out, 'more gateway')} were not tried." if self.left_out else ""
        tried = f"tried on {count(self.gateways, 'gateway')}"
        if not self.fired:
            return f"It would not have fired in the last {HOURS} h, {tried}.{only}"
        names = listed(list(dict.fromkeys(name for name, _ in self.fired)))
        last = clock(max(at for _, at in self.fired), now)
        times = count(len(self.fired), "time")
        return f"It would have fired {times} in the last {HOURS} h, on {names}; last at {last} UTC, {tried}.{only}"


def tried(rule: Rule, pool: Pool | None, now: datetime) -> Tried:
    """The rule on the gateways of a pool, or of all."""
    rows = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO).order_by("pk")
    names = dict((rows.filter(pool=pool) if pool else rows).values_list("pk", "name"))
    some = dict(list(names.items())[:MOST])
    found = series(rule, list(some), now.timestamp())
    if found is None:
        return Tried(unknown=True)
    begun = [(some[pk], datetime.fromtimestamp(at, UTC)) for pk, line in found.items() for at in fires(rule, line)]
    told = sum(any(value is not None for _, value in line) for line in found.values())
    return Tried(tuple(sorted(begun, key=lambda one: one[1])), told, len(names) - len(some))


def fires(rule: Rule, line: Iterable[tuple[int, float | None]]) -> Iterator[int]:
    """When it began to fire, each time."""
    stand: Stand | None = None
    for at, value in line:
        before, stand = stand, judged(rule, stand, value, at)
        if stand and stand.firing and not (before and before.firing):
            yield at


def series(rule: Rule, ids: Sequence[int], now: float) -> Series | None:
    """What the rule would have measured each minute of the day; None: its metric is not kept."""
    since = int(now) - 3600 * HOURS
    if METRICS[rule.metric].value:
        return of_readings(rule, ids, since)
    if rule.metric in MACHINE:
        rows = OutsideReading.objects.filter(gateway__in=ids, at__gte=since).annotate(n_at=F("at") - F("at") % STEP)
        told = rows.values("gateway_id", "n_at").annotate(n=Avg(MACHINE[rule.metric])).order_by("gateway_id", "n_at")
        return lined(told.values_list("gateway_id", "n_at", "n"))
    if rule.metric in ("outside_time", "outside_loss"):
        return of_probes(rule, ids, since)
    return None


def lined(rows: Iterable[tuple[int, int, float | None]]) -> Series:
    found: dict[int, list[tuple[int, float | None]]] = defaultdict(list)
    for pk, at, value in rows:
        found[pk].append((at, value))
    return found


def of_probes(rule: Rule, ids: Sequence[int], since: int) -> Series:
    """Each minute the probes of the window before it."""
    single = ProbeReading.objects.filter(gateway__in=ids, span=ProbeReading.ONE, at__gte=since).order_by("at")
    window = max(PROBES_SECONDS, rule.window_seconds)
    known: dict[int, deque[tuple[int, float, float]]] = defaultdict(deque)
    found: dict[int, list[tuple[int, float | None]]] = defaultdict(list)
    for pk, at, took, sent, lost in single.values_list("gateway_id", "at", "login_ms", "sent", "lost"):
        part, of = (took, float(took is not None)) if rule.metric == "outside_time" else (100.0 * (lost or 0), sent)
        if not of:
            continue
        known[pk].append((at, float(part or 0), float(of)))
        while known[pk][0][0] <= at - window:
            known[pk].popleft()
        parts, tries = (sum(each[place] for each in known[pk]) for place in (1, 2))
        found[pk].append((at, parts / max(tries, rule.least if rule.metric == "outside_loss" else 1.0)))
    return found


def of_readings(rule: Rule, ids: Sequence[int], since: int) -> Series:
    """Each minute the window before it, of all slots together."""
    rows = Reading.objects.filter(gateway__in=ids, span=STEP, at__gte=since).order_by("gateway_id", "at")
    added = {f"c_{name}": Sum(name) for name in counters.COUNTED}
    felt = {f"m_{name}": Avg(name) for name in FELT} | {f"x_{name}": Max(name) for name in WORST}
    told: Iterable[Mapping[str, Any]] = rows.values("gateway_id", "at").annotate(users=Sum("sessions"), **added, **felt)
    places, metric = max(1, round(rule.window_seconds / STEP)), METRICS[rule.metric]
    found: dict[int, list[tuple[int, float | None]]] = defaultdict(list)
    window: deque[Mapping[str, Any]] = deque()
    for row in told:
        if window and window[-1]["gateway_id"] != row["gateway_id"]:
            window.clear()
        window.append(row)
        while window[0]["at"] <= row["at"] - STEP * places:
            window.popleft()
        found[row["gateway_id"]].append((row["at"], value(metric, window, rule)))
    return found


def value(metric: Metric, window: Iterable[Mapping[str, Any]], rule: Rule) -> float | None:
    """A rule's number over some minutes, as fleet.alarms.measure makes it of seconds."""
    rows = list(window)

    def known(name: str) -> list[float]:
        return [row[name] for row in rows if row[name] is not None]

    counts = {name: sum(found) if (found := known(f"c_{name}")) else None for name in counters.COUNTED}
    means = {name: sum(found) / len(found) if (found := known(f"m_{name}")) else None for name in FELT}
    most = {name: max(known(f"x_{name}"), default=None) for name in WORST}
    users = known("users")
    sums = Sums(STEP * len(rows), rule.least, sum(users) / len(users) if users else None, counts, means, most)
    return metric.value(sums) if metric.value else None
