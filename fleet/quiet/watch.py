"""The round: gateways whose newest release is due for a look are judged; what lasts calls a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fleet.models import Gateway, QuietLoss, QuietWatch
from fleet.quiet import journal, pace, words
from fleet.quiet.detect import Judged, judge, lasting
from fleet.quiet.reading import Reader, Serving, begin_of, newest, serving

MOST = 20  # gateways of one round: it must not hold its thread for long


@dataclass(frozen=True)
class Due:
    gateway: Gateway
    serving: Serving
    begin: int
    watch: QuietWatch | None


def look(now: float) -> int:
    """Judge what is due, those first that waited longest; return how many losses were found, got worse or ended."""
    reader = Reader(now)
    gateways = {row.pk: row for row in Gateway.objects.exclude(state=Gateway.State.LEFT).only("name", "pool_id")}
    known = serving(gateways, now)
    watches = QuietWatch.objects.in_bulk()
    losses = list(QuietLoss.objects.filter(ended_at=None).select_related("gateway"))
    news = sum(_ended(loss, known, now) for loss in losses)
    open_on = {loss.gateway_id for loss in losses}
    due = [it for pk in known if (it := _due(gateways[pk], known[pk], watches.get(pk), now=now, is_lost=pk in open_on))]
    for it in sorted(due, key=lambda one: one.watch.looked_at if one.watch else 0.0)[:MOST]:
        others = {pk: known[pk] for pk in known if gateways[pk].pool_id == it.gateway.pool_id}
        news += _judged(it, judge(reader.case(it.serving, it.begin, others)), now)
    return news


def _ended(loss: QuietLoss, known: Mapping[int, list[Serving]], now: float) -> bool:
    """What is no longer served is no longer lost. A gateway that tells nothing keeps its losses."""
    it = newest(known.get(loss.gateway_id, []), now)
    if it is None or (it.slot, it.release) == (loss.slot, loss.release):
        return False
    why = f"{loss.release} does not serve new users on {loss.gateway.name} any more; {it.release} does."
    return journal.end(loss, why=why, now=datetime.fromtimestamp(now, UTC))


def _due(gateway: Gateway, known: list[Serving], watch: QuietWatch | None, *, now: float, is_lost: bool) -> Due | None:
    it = newest(known, now)
    if it is None or now - it.first < pace.FIRST:
        return None
    same = watch is not None and (watch.slot, watch.release) == (it.slot, it.release)
    begin = watch.begin if watch and same else begin_of(it)
    age = now - begin
    if age < pace.FIRST or (age > pace.LAST and not is_lost):
        return None
    if watch and same and now - watch.looked_at < pace.pause(age):
        return None
    return Due(gateway, it, begin, watch if same else None)


def _judged(it: Due, judged: Judged, now: float) -> bool:
    """Write down what this look found; whether that was news."""
    before = frozenset(it.watch.found if it.watch else ())
    lasts, at = lasting(judged, before), datetime.fromtimestamp(now, UTC)
    row = {
        "slot": it.serving.slot,
        "release": it.serving.release,
        "begin": it.begin,
        "looked_at": now,
        "measures": {one.name: [round(one.score, 2), round(one.sure, 2), round(one.total, 4)] for one in judged.scores},
        "found": [one.name for one in judged.found],
        "against": judged.against,
    }
    watch, _ = QuietWatch.objects.update_or_create(gateway=it.gateway, defaults=row)
    if lasts:
        place = words.Place(it.gateway.name, it.serving.release, it.begin)
        found = journal.Found(lasts[0], words.sentence(place, lasts, judged, at))
        return journal.find(watch, found, now=at)
    if judged.scores and not judged.found and not before:
        gone = QuietLoss.objects.filter(gateway=it.gateway, release=it.serving.release, ended_at=None)
        return any([journal.end(loss, why=journal.GONE, now=at) for loss in gone])
    return False
