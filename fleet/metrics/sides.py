"""Readings of many gateways as a few lines: each side is what some slots said together. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Avg, Count, F, FloatField, Max, Min, Q, Sum
from django.db.models.functions import Cast

from fleet.metrics import rollup
from fleet.metrics.bands import ROLLING, Bucket
from fleet.models import Reading, Span

POINTS = 600  # of one line; more can't be seen
STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)
FEW = 20  # gateways; for more of them the steps of seconds are too many rows
COUNTED = ("logins", "failures", "errors")
FELT = ("handshake_ms", "rtt_ms", "rss_bytes")


@dataclass(frozen=True)
class Side:
    """Whose readings are one line. `tone`: what it is to the eye (canary, control or other)."""

    name: str
    tone: str
    of: Q
    gateways: Sequence[int] = field(default_factory=tuple)


def step_of(seconds: float, gateways: int) -> int:
    """The width of a point in seconds: one of STEPS, so that it changes seldom while a page is open."""
    least = 60 if gateways > FEW else STEPS[0]
    return next((step for step in STEPS if step >= least and seconds / step <= POINTS), STEPS[-1])


def buckets(side: Side, *, since: float, until: float, step: int, now: float) -> list[Bucket]:
    """What a side's slots said from ROLLING seconds before `since` on, in steps of `step` seconds, in order of time."""
    begin = int(since - ROLLING) // step * step
    found: dict[int, Bucket] = {}
    for span, first, end in parts(step, since=begin, until=until, now=now):
        for bucket in summed(side, span.seconds, step=step, begin=first, end=end):
            found[bucket.at] = merged(found[bucket.at], bucket) if bucket.at in found else bucket
    return [found[at] for at in sorted(found)]


def parts(step: int, *, since: int, until: float, now: float) -> list[tuple[Span, int, int]]:
    """Which span tells of which time: the coarsest that fits, up to where it was made, then the finer ones."""
    spans = rollup.spans()
    kept = [span for span in spans if now - since <= 3600 * span.keep_hours] or spans[-1:]
    fitting = [span for span in kept if span.seconds <= step] or kept[:1]
    told, begin, last = [], since, int(until) + 1
    for span in reversed(spans[: spans.index(fitting[-1]) + 1]):
        end = last if span is spans[0] else min(span.rolled_until, last)
        if end > begin:
            told.append((span, begin, end))
            begin = end
    return told


def summed(side: Side, span: int, *, step: int, begin: int, end: int) -> list[Bucket]:
    rows = Reading.objects.filter(side.of, gateway__in=side.gateways, span=span, at__gte=begin, at__lt=end)
    columns: dict[str, Any] = {f"n_{name}": Sum(name) for name in COUNTED}
    for name in FELT:
        value = Cast(name, FloatField())
        columns |= {f"n_{name}": Avg(value), f"n_{name}_low": Min(value), f"n_{name}_high": Max(value)}
    columns |= {"n_users": Avg(Cast("sessions", FloatField())) * Count("gateway", distinct=True)}
    told: Iterable[Mapping[str, Any]] = (
        rows.annotate(n_at=F("at") - F("at") % step).values("n_at").annotate(**columns).order_by("n_at")
    )
    return [
        Bucket(row["n_at"], {name.removeprefix("n_"): value for name, value in row.items() if name != "n_at"})
        for row in told
    ]


def merged(one: Bucket, finer: Bucket) -> Bucket:
    """Where two finenesses meet inside a step: the counts of both, and what the finer one felt."""
    counts = [(name, one.get(name), finer.get(name)) for name in COUNTED]
    both = {name: a if b is None else b if a is None else a + b for name, a, b in counts}
    felt = {name: value for name, value in finer.values.items() if value is not None and name not in COUNTED}
    return Bucket(one.at, {**one.values, **felt, **both})
