"""Readings of five seconds become those of a minute and of an hour, and each fineness is kept for its own time.

The database adds up; Python only carries the sums. Each span goes on where it was left, so a roll-up that was missed is
made later, and one that is made twice writes the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Avg, F, FloatField, Max, Min, Sum
from django.db.models.functions import Cast

from fleet.metrics import counters
from fleet.metrics.store import PLACE, insert
from fleet.models import Reading, Span

LATE_SECONDS = 10  # an answer may be written so long after it came
AT_ONCE = 10  # spans that are made in one transaction, when some were missed
WORST = frozenset({"rtt_p95_ms"})
MEANT = (*counters.FELT, "auth_seconds")
PURGE_MOST = 20_000  # rows that one purge takes from one gateway's span


def spans() -> list[Span]:
    """The finenesses there are, the finest first; those that every installation has are not rows from the first day."""
    known = {span.seconds: span for span in Span.objects.all()}
    made = {seconds: Span(seconds=seconds, keep_hours=hours) for seconds, hours in Span.DEFAULTS.items()}
    return [span for _, span in sorted({**made, **known}.items())]


def roll_up(now: float) -> int:
    """Make what is due of each coarser span from the next finer one; return how many readings that are."""
    made = 0
    finer, *coarser = spans()
    for span in coarser:
        for begin, end in pieces(span, now, finer=finer):
            made += _make(span, finer, begin=begin, end=end)
        finer = span
    return made


def pieces(span: Span, now: float, *, finer: Span) -> Iterator[tuple[int, int]]:
    """What of a span is over and not made yet, in pieces; at most as far back as the finer one is kept."""
    end = int(now - LATE_SECONDS) // span.seconds * span.seconds
    oldest = (int(now - 3600 * finer.keep_hours) // span.seconds + 1) * span.seconds
    begin = max(span.rolled_until or _first(finer, span), oldest)
    while begin < end:
        upto = min(end, begin + AT_ONCE * span.seconds)
        yield begin, upto
        begin = upto


def _first(finer: Span, span: Span) -> int:
    """Where a span begins that was never made. No index helps here, and there is not much yet."""
    first = Reading.objects.filter(span=finer.seconds).aggregate(first=Min("at"))["first"] or 0
    return int(first) // span.seconds * span.seconds


def _make(span: Span, finer: Span, *, begin: int, end: int) -> int:
    rows = sums(finer.seconds, wide=span.seconds, begin=begin, end=end)
    with transaction.atomic():
        insert(Reading, rows, skip=False)
        told = {"keep_hours": span.keep_hours, "rolled_until": end}
        Span.objects.update_or_create(seconds=span.seconds, defaults={"rolled_until": end}, create_defaults=told)
    return len(rows)


def sums(seconds: int, *, wide: int, begin: int, end: int, gateway: int | None = None) -> list[dict[str, object]]:
    """Readings of `seconds`, added up to those of `wide` seconds: counts summed, the rest as a mean or the worst."""
    from_all = Reading.objects.filter(span=seconds, at__gte=begin, at__lt=end)
    found = from_all if gateway is None else from_all.filter(gateway=gateway)
    counted = {f"n_{name}": Sum(name) for name in (*counters.COUNTED, "seconds")}
    felt = {f"n_{name}": (Max if name in WORST else Avg)(Cast(name, FloatField())) for name in MEANT}
    told = found.annotate(n_at=F("at") - F("at") % wide).values("gateway_id", "slot", "n_at")
    return [
        {
            "gateway_id": row["gateway_id"],
            "span": wide,
            "at": row["n_at"],
            "slot": row["slot"],
            **{name.removeprefix("n_"): value for name, value in row.items() if name not in (*PLACE, "n_at")},
        }
        for row in told.annotate(n_release=Max("release"), **counted, **felt).order_by()
    ]


def purge(now: float, gateway_ids: list[int]) -> int:
    """Remove what was kept for long enough, gateway by gateway: the index leads there, and no lock lasts long."""
    gone = 0
    kept = {span.seconds: int(now - 3600 * span.keep_hours) for span in spans()}
    for gateway in gateway_ids:
        for seconds, before in kept.items():
            old = Reading.objects.filter(gateway=gateway, span=seconds, at__lt=before).values("pk")[:PURGE_MOST]
            gone += Reading.objects.filter(pk__in=old)._raw_delete("default")
    return gone
