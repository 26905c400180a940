"""Ask every source about its pool's gateways, and store what it says: one query a metric, one transaction a source."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from functools import partial

from django.db import transaction

from fleet import sealed
from fleet.errors import RetryLater
from fleet.models import Gateway, OutsideReading, PrometheusSource
from fleet.prometheus import client, promql
from fleet.prometheus.client import Server

EVERY = 30  # seconds
QUIET_SECONDS = 120  # then it is a fact of its own that nothing comes
AT_ONCE = 200  # gateways in one query: its text must stay short
PURGE_MOST = 20_000
Asker = Callable[[Server, str], object]


def due() -> list[int]:
    """Sources whose turn it is; the clock comes each EVERY seconds."""
    return list(PrometheusSource.objects.values_list("pk", flat=True))


def poll(source: PrometheusSource, *, ask: Asker = client.ask, clock: Callable[[], float] = time.time) -> int:
    """Ask for all metrics; return how many gateways it told of. Never raises for what a server does."""
    asked = clock()
    names = names_of(source.pool_id)
    found: dict[int, dict[str, float]] = {}
    refused: list[str] = []
    put = partial(ask, server_of(source))
    try:
        if not names:
            put("vector(1)")  # there is nothing to ask about, and whether it answers is asked all the same
        for column in promql.METRICS:
            for number, value in _values(source, column, names, ask=put, refused=refused).items():
                found.setdefault(number, {})[column] = value
    except RetryLater as silence:
        PrometheusSource.objects.filter(pk=source.pk).update(asked_at=asked, say=silence.say)
        return 0
    told = {column: None for column in promql.METRICS}
    rows = [OutsideReading(gateway_id=pk, at=int(asked), **told | values) for pk, values in found.items()]
    with transaction.atomic():
        there = set(Gateway.objects.filter(pk__in=found).values_list("pk", flat=True))
        OutsideReading.objects.bulk_create([row for row in rows if row.gateway_id in there], ignore_conflicts=True)
        now = {"asked_at": asked, "answered_at": clock(), "say": " ".join(refused)}
        PrometheusSource.objects.filter(pk=source.pk).update(**now)
    return len(found)


def _values(
    source: PrometheusSource, column: str, names: Mapping[str, int], *, ask: Callable[[str], object], refused: list[str]
) -> dict[int, float]:
    """Gateway → value of one metric. A query that is refused costs this metric, not the others."""
    text = str(source.queries.get(column) or promql.METRICS[column].query)
    found: dict[int, float] = {}
    every = sorted(names)
    for begin in range(0, len(every), AT_ONCE):
        some = every[begin : begin + AT_ONCE]
        answer = ask(promql.query(text, label=source.label, names=some))
        try:
            found |= promql.of_gateways(promql.read(answer, label=source.label), names)
        except promql.BadAnswer as no:
            refused.append(f"For {promql.METRICS[column].title}: {no}.")
            break
    return found


def names_of(pool_id: int) -> dict[str, int]:
    """Each name that a gateway may have in Prometheus → its number."""
    rows = Gateway.objects.filter(pool=pool_id).exclude(state=Gateway.State.LEFT)
    columns = rows.values_list("pk", "name", "address", "public_address", "labels")
    named = [(pk, (*given, str(labels.get("prometheus", "")))) for pk, *given, labels in columns]
    # Two behind one address can't be told apart by it: then it is nobody's.
    every: dict[str, set[int]] = {}
    for pk, given in named:
        for name in given:
            if name and re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", name):
                every.setdefault(name, set()).add(pk)
    return {name: next(iter(pks)) for name, pks in every.items() if len(pks) == 1}


def server_of(source: PrometheusSource) -> Server:
    token = sealed.unseal_or_none(f"prometheus:{source.name}")
    return Server(source.url, (token or b"").decode())


def purge(now: float) -> int:
    """Remove what was kept for long enough."""
    old = OutsideReading.objects.filter(at__lt=int(now) - 86400 * OutsideReading.KEEP_DAYS).values("pk")[:PURGE_MOST]
    return OutsideReading.objects.filter(pk__in=old)._raw_delete("default")
