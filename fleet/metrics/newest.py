"""A gateway's newest answer to the collector, and what gateways counted together: what a verdict reads. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, FloatField, QuerySet, Sum
from django.db.models.functions import Cast

from fleet.metrics import collect
from fleet.metrics.standing import Seen, Standing, standing
from fleet.models import Gateway, Reading, Span, Watch

FRESH_INTERVALS = 3  # of the collector; what is older is asked for anew
SIZES = ("sessions", "rtt_ms", "rss_bytes", "handshake_ms", "auth_seconds")
FINEST = min(Span.DEFAULTS)


@dataclass(frozen=True)
class Newest:
    """`at`: when it was answered, epoch seconds; 0.0 where it is not fresh. `slots`: counters as the gateway told them
    and sizes, by the names that `metrics` of docs/ocgate-protocol.md has.
    """

    standing: Standing
    at: float = 0.0
    slots: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """Sums over gateways, slots and time."""

    logins: int = 0
    failures: int = 0
    errors: int = 0
    reconnects: int = 0
    minutes: float = 0.0  # of users who were there
    gateways: int = 0
    looks: int = 0  # of which they are the sum; 0: nobody looked


def newest(gateway: Gateway, now: float) -> Newest:
    """What one gateway said last, in two queries where that is fresh."""
    wish = collect.Settings.read()
    watch = Watch.objects.filter(pk=gateway.pk).first() or Watch(gateway=gateway, asked_at=0.0)
    fresh = bool(wish.every) and 0 <= now - watch.answered_at <= FRESH_INTERVALS * wish.every
    # Which slots should answer, too, is known to who looks: the gateway's facts are long and not read here.
    stands = standing(seen_of(gateway, watch, wish, why_not="" if fresh else collect.why_not(gateway, wish)), now)
    if not fresh:
        return Newest(stands)
    sizes = Reading.objects.filter(gateway=gateway, span=FINEST, at=int(watch.answered_at)).values("slot", *SIZES)
    felt = {row.pop("slot"): row for row in sizes}
    # Counters without their sizes are the half of an answer: the row is written in the same transaction.
    both = {slot: {**last, **felt[slot]} for slot, last in told_by(watch).items() if slot in felt}
    return Newest(stands, watch.answered_at, both)


def seen_of(gateway: Gateway, watch: Watch, wish: collect.Settings, *, why_not: str = "") -> Seen:
    """What the collector knows of one gateway."""
    told = told_by(watch)
    return Seen(
        gateway.name,
        wish.every,
        asked_at=watch.asked_at,
        answered_at=watch.answered_at,
        used_at=watch.used_at,
        misses=watch.misses,
        say=watch.say,
        why_not=why_not,
        slots=told,
        banned=[slot for slot, last in told.items() if last.get("banned_ours")],
    )


def told_by(watch: Watch) -> dict[int, Mapping[str, Any]]:
    """Slot → the counters of those that were in the last answer."""
    return {int(slot): last for slot, last in watch.slots.items() if last.get("at") == watch.answered_at}


def counted(gateways: Iterable[int], *, since: float, until: float) -> Counts:
    """What these gateways counted after `since` and up to `until`, epoch seconds, as the finest readings say."""
    mine = list(gateways)
    return summed(Reading.objects.filter(gateway__in=mine, span=FINEST, at__gt=since, at__lte=until), len(mine))


def hourly(gateway: int, hours: Iterable[int]) -> Counts:
    """What one gateway counted in these hours together; epoch seconds of their begins."""
    return summed(Reading.objects.filter(gateway=gateway, span=max(Span.DEFAULTS), at__in=list(hours)), 1)


def summed(rows: QuerySet[Reading], gateways: int) -> Counts:
    told = rows.aggregate(
        *(Sum(name) for name in ("logins", "failures", "errors", "reconnects")),
        minutes=Sum(Cast(F("sessions"), FloatField()) * F("seconds") / 60.0),
        looks=Count("pk"),
    )
    counts = {name.removesuffix("__sum"): value or 0 for name, value in told.items()}
    return Counts(**counts, gateways=gateways)


def by_slot(
    gateways: Iterable[int], column: str, *, since: float, until: float
) -> dict[tuple[int, int], tuple[int, int]]:
    """(gateway, slot) → tries and failures after `since` and up to `until`. `column`: "failures" or "errors"."""
    rows = Reading.objects.filter(gateway__in=list(gateways), span=FINEST, at__gt=since, at__lte=until)
    told = rows.values_list("gateway_id", "slot").annotate(good=Sum("logins"), bad=Sum(column)).order_by()
    return {(gateway, slot): ((good or 0) + (bad or 0), bad or 0) for gateway, slot, good, bad in told}
