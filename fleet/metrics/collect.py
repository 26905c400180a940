"""The collector: every gateway is asked each few seconds over its kept connection, and what came is written together.

`look` asks one gateway and puts the answer down; `flush` writes all that was put down in one transaction. Whoever has
threads calls them (upgrader/tasks.py): this module starts none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q

from fleet import ports
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.measured import SlotMetrics
from fleet.metrics.store import Answer, Store
from fleet.models import Gateway, Watch

BUSY = frozenset({"busy", "not_ready"})
"""It answers, and has no time for this: neither a sample nor a miss."""
MISSED_EVERY = 30.0  # a gateway that does not answer takes seconds of a thread each time
MISSES_UNTIL_SELDOM = 2
PROBES_MOST = 16  # addresses that ocgate takes
Opener = Callable[[Gateway], ports.Gateway]


@dataclass(frozen=True)
class Settings:
    """`every`: seconds between two looks, 0 for none at all. `most`: gateways; above that Prometheus is the store."""

    every: float
    most: int

    @classmethod
    def read(cls) -> Settings:
        return cls(float(settings.COLLECT_SECONDS), int(settings.COLLECT_MOST))


class Collector:
    """Of one process: its gateways come to no other while the number of workers stays."""

    def __init__(self) -> None:
        self._store = Store()
        self._heap: list[Answer] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._plain: set[int] = set()

    def look(self, gateway: Gateway, *, opener: Opener, clock: Callable[[], float] = time.time) -> None:
        """Ask one gateway and put its answer down. Never raises for what a gateway does."""
        asked = clock()
        try:
            slots = self._asked_of(opener(gateway), gateway)
        except (RetryLater, GiveUp, GatewayBug) as silence:
            if getattr(silence, "code", "") in BUSY:
                return
            self._put(Answer(gateway.pk, asked, say=silence.say))
            return
        self._put(Answer(gateway.pk, asked, answered_at=clock(), slots=slots))

    def flush(self) -> list[int]:
        """Write what was put down; return whose it was. What can't be written now is kept for the next time."""
        with self._writing:
            with self._lock:
                heap, self._heap = self._heap, []
            try:
                self._store.write(heap)
            except BaseException:
                with self._lock:
                    self._heap = [*heap, *self._heap][-HEAP_MOST:]
                raise
            return [answer.gateway for answer in heap]

    def _asked_of(self, reached: ports.Gateway, gateway: Gateway) -> tuple[SlotMetrics, ...]:
        """Ask, and tell it where our probe hosts come from: they are no users. One that refuses to hear of them is
        asked without from the next look on, until we are started again."""
        hosts = [] if gateway.pk in self._plain else gateway.pool.probe_hosts.all()
        probes = sorted({host.seen_from for host in hosts})[:PROBES_MOST]
        try:
            return asked_of(reached, probes)
        except GiveUp as no:
            if not probes or no.code != "bad_request":
                raise
        self._plain.add(gateway.pk)
        raise RetryLater(f"{gateway.name} runs an older ocgate, which knows no probe hosts.", code="busy")

    def _put(self, answer: Answer) -> None:
        with self._lock:
            self._heap.append(answer)


HEAP_MOST = 10_000  # answers that wait for a database that can't be written


def asked_of(reached: ports.Gateway, probes: Collection[str]) -> tuple[SlotMetrics, ...]:
    """Ask, and give the connection back."""
    try:
        return tuple(reached.metrics(probes=probes))
    finally:
        reached.close()


def due(now: float, *, wish: Settings, first: Collection[int] = ()) -> list[int]:
    """Gateways to be asked now, at most `wish.most`: those in `first` (under an upgrade) before all others.

    The same ones each time, so that their connections are kept; those that do not answer are asked less often.
    """
    if not wish.every:
        return []
    watched = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO)
    late = Q(watch=None) | Q(watch__misses__lt=MISSES_UNTIL_SELDOM) | Q(watch__asked_at__lt=now - MISSED_EVERY)
    some = sorted(first)[: wish.most]
    chosen = list(watched.filter(late, pk__in=some).values_list("pk", flat=True)) if some else []
    rest = watched.filter(late).exclude(pk__in=some).order_by("pk")
    return [*chosen, *rest.values_list("pk", flat=True)[: max(0, wish.most - len(some))]]


def why_not(gateway: Gateway, wish: Settings) -> str:
    """Why nobody asks this gateway; "" while somebody should."""
    if not wish.every:
        return "The collector is switched off (HANDOVER_COLLECT_SECONDS is 0): no numbers come from any gateway."
    if gateway.state not in Gateway.SPOKEN_TO:
        return f"{gateway.name} is {gateway.state}: nobody speaks to it."
    before = Gateway.objects.filter(state__in=Gateway.SPOKEN_TO, pk__lt=gateway.pk)[: wish.most].count()
    if before >= wish.most and not Watch.objects.filter(pk=gateway.pk).exists():
        return f"The collector asks {wish.most} gateways and {gateway.name} is beyond: raise HANDOVER_COLLECT_MOST."
    return ""


def rows(gateway_ids: Iterable[int]) -> list[Gateway]:
    """What asking needs of them, without the big answers that their rows hold."""
    some = Gateway.objects.filter(pk__in=list(gateway_ids)).defer("facts", "inventory", "config", "seen_keys")
    return list(some.select_related("pool").prefetch_related("pool__probe_hosts"))


def everybody() -> list[int]:
    """Every gateway whose readings may be stored: those that left the fleet, too."""
    return list(Gateway.objects.order_by("pk").values_list("pk", flat=True))


COLLECTOR = Collector()
