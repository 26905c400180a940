"""What pages show of Prometheus: sources, and what they say of one gateway. Reads only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from fleet.metrics import charts
from fleet.metrics.series import POINTS, Point, Series
from fleet.models import Credential, Gateway, OutsideReading, Pool, PrometheusSource
from fleet.phrases import duration
from fleet.prometheus import poll, promql
from fleet.words import Word

ANSWERS = Word("Answers", "done", "circle-check")
QUIET = Word("Quiet", "failed", "unplug")
NOT_YET = Word("Not asked yet", "unknown", "circle-dashed")


def standing(source: PrometheusSource, now: float) -> tuple[Word, str]:
    """Whether it answers, in a word and a sentence. A source that falls silent says nothing about any gateway."""
    if not source.asked_at:
        return NOT_YET, f"{source.name} has not been asked yet."
    since = source.answered_at or source.asked_at
    if now - since > poll.QUIET_SECONDS:
        heard = "Prometheus has not answered for" if source.answered_at else "Prometheus has never answered, asked for"
        why = f" {source.say}" if source.say else " Its worker does not ask."
        return QUIET, f"{heard} {duration(now - since)}.{why} This says nothing about the gateways."
    if not source.answered_at:
        return QUIET, source.say
    return ANSWERS, source.say or f"Prometheus answered {duration(now - source.answered_at)} ago."


def of_gateway(gateway: Gateway, now: float) -> dict[str, Any]:
    """The context of _gateway_prometheus.html; no source: {"prometheus": None}."""
    source = PrometheusSource.objects.filter(pool=gateway.pool_id).first()
    if source is None:
        return {"prometheus": None}
    word, say = standing(source, now)
    last = OutsideReading.objects.filter(gateway=gateway).order_by("-at").first()
    fresh = last is not None and now - last.at <= poll.QUIET_SECONDS
    metrics = [
        {"key": key, "title": metric.title, "value": metric.said(getattr(last, key) if fresh else None)}
        for key, metric in promql.METRICS.items()
        if last is not None and getattr(last, key) is not None
    ]
    known = {"prometheus": source, "prometheus_word": word, "prometheus_say": say, "outside": metrics}
    return known | {"outside_at": datetime.fromtimestamp(last.at, UTC) if last else None}


def of_sources(pools: QuerySet[Pool], now: float) -> list[dict[str, Any]]:
    """The sources of these pools, as their page shows them."""
    rows = PrometheusSource.objects.filter(pool__in=pools).select_related("pool")
    tokens = set(Credential.objects.filter(name__startswith="prometheus:").values_list("name", flat=True))
    shown = []
    for row in rows:
        word, say = standing(row, now)
        told = OutsideReading.objects.filter(gateway__pool=row.pool_id, at__gte=int(now) - poll.QUIET_SECONDS)
        queries = [(promql.METRICS[key].title, text) for key, text in row.queries.items() if key in promql.METRICS]
        has = f"prometheus:{row.name}" in tokens
        shown.append({"row": row, "word": word, "say": say, "token": has, "queries": queries})
        shown[-1]["gateways"] = told.values("gateway").distinct().count()
    return shown


def chart(gateway: Gateway, key: str, shown: charts.Range) -> dict[str, Any]:
    """One figure for static/js/charts.js. `key`: a name in promql.METRICS."""
    metric = promql.METRICS[key]
    panel = charts.Panel(metric.title, metric.unit, charts.felt(key), metric.form)
    found = series(gateway.pk, key, shown)
    empty = all(charts.ends(panel, points) is None for points in found.values())
    return {"figure": charts.figure(panel, found, shown), "say": charts.say(panel, found), "empty": empty}


def series(gateway_id: int, key: str, shown: charts.Range) -> Series:
    """At most POINTS of them: the last in each step, as a gauge has no sum."""
    step = max(1, int(shown.until - shown.since) // POINTS)
    rows = OutsideReading.objects.filter(gateway=gateway_id, at__gte=int(shown.since), at__lte=int(shown.until))
    places: dict[int, Point] = {}
    for at, value in rows.order_by("at").values_list("at", key):
        places[at // step] = Point(at, float(poll.EVERY), {key: value})
    return {(0, "Prometheus"): list(places.values())} if places else {}
