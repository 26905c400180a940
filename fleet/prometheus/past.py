"""What gateways counted, as their Prometheus has it: of just now from what is stored here, of weeks ago from itself."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, F, Sum

from fleet.errors import RetryLater
from fleet.metrics.newest import Counts
from fleet.models import Gateway, OutsideReading, PrometheusSource
from fleet.prometheus import client, poll, promql
from fleet.prometheus.poll import Asker

COUNTED = ("logins", "failures", "errors")  # rates a minute
MINUTES = poll.EVERY / 60  # that one stored value is about
HOUR_MINUTES = 60


def since(gateways: Iterable[int], *, since: float, until: float) -> Counts:
    """Counts of these gateways after `since` and up to `until`, epoch seconds. Rates look back on 5 min, so they come
    late and smooth: good enough for what others count, and for no gateway that is judged."""
    mine = list(gateways)
    rows = OutsideReading.objects.filter(gateway__in=mine, at__gt=since, at__lte=until)
    told = rows.aggregate(*(Sum(name) for name in COUNTED), users=Sum(F("sessions")), looks=Count("pk"))
    counts = {name: round((told[f"{name}__sum"] or 0) * MINUTES) for name in COUNTED}
    return Counts(**counts, minutes=(told["users"] or 0) * MINUTES, gateways=len(mine), looks=told["looks"])


def counted(gateway: Gateway, hours: Iterable[int], *, ask: Asker = client.ask) -> Counts:
    """What one gateway counted in these hours together (epoch seconds of their begins), asked over the network.

    Nothing where there is no Prometheus or it does not answer: then there is nothing to compare with, which is said.
    """
    source = PrometheusSource.objects.filter(pool=gateway.pool_id).first()
    if source is None:
        return Counts()
    names = {name: pk for name, pk in poll.names_of(gateway.pool_id).items() if pk == gateway.pk}
    server, found, known = poll.server_of(source), dict.fromkeys(COUNTED, 0.0), 0
    for hour in hours if names else ():
        for column in COUNTED:
            text = str(source.queries.get(column) or promql.METRICS[column].query)
            whole = f"avg_over_time(({text})[1h:5m] @ {hour + 3600})"
            try:
                answer = ask(server, promql.query(whole, label=source.label, names=sorted(names)))
                told = promql.of_gateways(promql.read(answer, label=source.label), names)
            except (RetryLater, promql.BadAnswer):
                return Counts()
            known += column == "logins" and gateway.pk in told
            found[column] += HOUR_MINUTES * told.get(gateway.pk, 0.0)
    counts = {name: round(value) for name, value in found.items()}
    return Counts(**counts, gateways=1, looks=known)
