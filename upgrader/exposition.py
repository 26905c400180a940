"""The product's own state for Prometheus, read from the database at each scrape: any web process says the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Max, Min, Model, QuerySet
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from approvals.models import AuditEvent, Request
from fleet.models import Alert, Errand, Gateway, Watch
from upgrader import pulse
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.slots_exposed import slots
from upgrader.states import R, S, U

ENDED = (R.DONE, R.ROLLED_BACK, R.REJECTED)


class Handover(Collector):
    """Some dozen queries, each by an index or over a table that stays small."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        yield counted(
            "handover_gateways", "Gateways by pool and state.", Gateway.objects.all(), ("pool__name", "state")
        )
        yield counted("handover_rollouts", "Rollouts that have not ended, by state.", open_rollouts(), ("state",))
        yield counted("handover_upgrades", "Gateways in the hand of a rollout, by state.", busy(), ("state",))
        yield counted("handover_alerts", "Open alerts by kind.", Alert.objects.filter(ended_at=None), ("kind",))
        yield counted("handover_errands", "Errands that gateways have not done yet.", waiting_errands(), ("kind",))
        yield one("handover_approvals_pending", "Questions that wait for a person.", open_requests().count())
        yield one("handover_approval_wait_seconds", "Age of the oldest of them.", age(open_requests(), now))
        yield one("handover_steps_late_seconds", "For how long the most overdue step has waited.", late(now))
        yield one("handover_audit_sequence", "Entries of the record.", last_event())
        yield from sessions()
        yield from collector()
        yield heard()
        yield from slots(now.timestamp())


def counted(name: str, help: str, rows: QuerySet[Model], by: tuple[str, ...]) -> GaugeMetricFamily:
    """How many rows there are of each kind."""
    family = GaugeMetricFamily(name, help, labels=[column.partition("__")[0] for column in by])
    for row in rows.values(*by).annotate(n=Count("pk")).order_by(*by):
        family.add_metric([str(row[column]) for column in by], row["n"])
    return family


def one(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)


def open_rollouts() -> QuerySet[Rollout]:
    return Rollout.objects.exclude(state__in=ENDED)


def busy() -> QuerySet[Upgrade]:
    return Upgrade.objects.filter(busy=True).exclude(state=U.DONE)


def waiting_errands() -> QuerySet[Errand]:
    return Errand.objects.filter(state=Errand.State.DUE)


def open_requests() -> QuerySet[Request]:
    return Request.objects.filter(state=Request.State.OPEN)


def age(rows: QuerySet[Request], now: datetime) -> float:
    first = rows.aggregate(first=Min("requested_at"))["first"]
    return (now - first).total_seconds() if first else 0.0


def late(now: datetime) -> float:
    """Seconds since the oldest due step should have begun; a worker takes one within a second."""
    first = StepRun.objects.filter(state=S.DUE, due_at__lt=now).aggregate(first=Min("due_at"))["first"]
    return (now - first).total_seconds() if first else 0.0


def last_event() -> int:
    return int(AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0)


def sessions() -> Iterable[Metric]:
    """Users on each gateway, and when it answered last."""
    users = GaugeMetricFamily("handover_gateway_sessions", "Users as it last said.", labels=["gateway", "release"])
    seen = GaugeMetricFamily("handover_gateway_seen_timestamp_seconds", "When it last answered.", labels=["gateway"])
    rows = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO).order_by("name")
    for name, release, count, at in rows.values_list("name", "release", "sessions", "facts_at"):
        users.add_metric([name, release], count)
        if at:
            seen.add_metric([name], at.timestamp())
    return users, seen


def collector() -> Iterable[Metric]:
    """Whether the collector runs, and who does not answer it."""
    found = Watch.objects.aggregate(last=Max("asked_at"))["last"] or 0.0
    silent = Watch.objects.filter(misses__gte=2, asked_at__gt=time.time() - 120).count()
    yield one("handover_collector_last_timestamp_seconds", "When a gateway was last measured or asked in vain.", found)
    yield one("handover_collector_silent_gateways", "Gateways that do not answer the collector.", silent)


def heard() -> Metric:
    """When the clock spoke last and a worker finished a tick; empty while the broker is gone."""
    family = GaugeMetricFamily("handover_heard_timestamp_seconds", "When each was last heard.", labels=["part"])
    with suppress(RedisError, OSError):
        for part, at in pulse.heard(settings.REDIS_URL).items():
            family.add_metric([part], at)
    return family


def text() -> bytes:
    """All of it in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Handover())
    return generate_latest(registry)
