"""Complaints of 1,000 sessions, as a rule judges them: those of the last hour, for minutes have too few. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from django.db.models import Count, Sum

from fleet.models import Reading, Ticket

SECONDS = 3600.0
SPAN = 60  # of readings: the finest would be 720 rows a slot


def values(gateways: Collection[int], window: float, least: float, now: float) -> Mapping[int, float]:
    """Gateway → complaints of 1,000 sessions, of at least `least`; 0 where nobody complained."""
    since = now - max(SECONDS, window)
    between = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(now, UTC))
    told = Ticket.objects.filter(gateway__in=list(gateways), reported_at__range=between)
    number = Counter(told.values_list("gateway", flat=True))
    there = sessions(list(number), since=since)
    return {pk: 1000 * number[pk] / max(least, there.get(pk, 0.0)) for pk in gateways}


def sessions(gateways: Collection[int | None], *, since: float) -> dict[int, float]:
    """Gateway → sessions that began since then, and those that were there on the average."""
    rows = Reading.objects.filter(gateway__in=gateways, span=SPAN, at__gte=int(since)).order_by()
    summed = rows.values("gateway_id").annotate(
        begun=Sum("arrivals"), there=Sum("sessions"), looks=Count("at", distinct=True)
    )
    found = summed.values_list("gateway_id", "begun", "there", "looks")
    return {pk: (begun or 0) + (there or 0.0) / looks for pk, begun, there, looks in found}
