"""What is kept of gateways, as the observing step takes it: the newest answer of one, and its baselines. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fleet.metrics import newest
from fleet.metrics.newest import Counts
from fleet.metrics.standing import Fact
from fleet.models import Gateway
from fleet.prometheus import past
from upgrader import stored_apart
from upgrader.hours import WEEKS, same_hours
from upgrader.models import Rollout, Upgrade
from upgrader.states import U
from upgrader.steps.job import Elsewhere, Measured
from upgrader.steps.told import Before, Seen
from upgrader.strategy_spec import Source
from upgrader.zones import zone_of

OTHERS_MOST = 10  # gateways beside which a canary is held
LATE_SECONDS = 10.0  # an answer may be written so long after it came


@dataclass(frozen=True)
class StoredFor:
    """A steps.job.Stored of one gateway. `clock`: epoch seconds."""

    rollout: Rollout
    gateway: Gateway
    clock: Callable[[], float]

    def newest(self) -> Measured:
        told = newest.newest(self.gateway, self.clock())
        fact = "" if told.standing.fact is Fact.FINE else str(told.standing.fact)
        return Measured(told.at, told.slots, fact, told.standing.say)

    def others(self, since: float) -> Elsewhere:
        until = self.clock() - LATE_SECONDS
        mine = others(self.rollout)
        counts = newest.counted(mine, since=since, until=until)
        if not counts.looks:
            # Where the collector asks nobody, Prometheus is the store.
            counts = past.since(mine, since=since, until=until)
        return Elsewhere(max(since, until), len(mine), rates(counts))

    def weeks(self) -> Mapping[str, tuple[float, int]]:
        hours = same_hours(self.clock(), weeks=WEEKS, zone=zone_of(self.gateway.pool_id))
        counts = newest.hourly(self.gateway.pk, hours)
        return rates(counts if counts.logins else past.counted(self.gateway, hours))

    def sources(self, *, sizes: bool) -> list[Source]:
        return stored_apart.sources_of(self.gateway, sizes=sizes)

    def before(self, *, sizes: bool) -> Before:
        mine, zone = others(self.rollout), zone_of(self.gateway.pool_id)
        return stored_apart.before(self.rollout, self.gateway, mine, now=self.clock(), sizes=sizes, zone=zone)

    def seen(self, since: Mapping[str, float], *, slot: int) -> Seen | None:
        now = self.clock()
        if not (until := stored_apart.due(since, now)):
            return None
        return stored_apart.seen(self.gateway, others(self.rollout), since, until=until, now=now, slot=slot)


def rates(counts: Counts) -> dict[str, tuple[float, int]]:
    """Tries and failures by metric, as steps/tally.py counts them."""
    return {
        "logins": (counts.logins + counts.failures, counts.failures),
        "session_errors": (counts.logins + counts.errors, counts.errors),
        "reconnects": (counts.minutes, counts.reconnects),
    }


def others(rollout: Rollout) -> list[int]:
    """Gateways of the pool that neither this rollout has touched nor another one works on; ids, the same each time."""
    touched = Upgrade.objects.filter(wave__rollout=rollout).exclude(state__in=[U.PLANNED, U.SKIPPED])
    at_work = Upgrade.objects.filter(busy=True)
    free = Gateway.objects.filter(pool=rollout.pool, state__in=Gateway.SPOKEN_TO)
    for taken in (touched, at_work):
        free = free.exclude(pk__in=taken.values("gateway"))
    return list(free.order_by("pk").values_list("pk", flat=True)[:OTHERS_MOST])
