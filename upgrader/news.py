"""Which rollouts a tick has to look at: where a row changed since this process looked last, or a time has come.

Workers tell the engine what they have settled, and people's answers do; the tick is for what nobody told. A look at a
rollout costs many times what these few queries cost for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, Sum

from upgrader.models import Rollout, Upgrade, Wave
from upgrader.states import W

AGAIN = timedelta(seconds=10)
"""After so long a rollout is looked at in any case: gateways, windows and other rollouts change without its rows."""
SPREAD = 5  # seconds: not all of them in the same tick
CALL_AGAIN = timedelta(seconds=5)
"""After so long is looked anew at what calls people: time and outages do so without a rollout's row."""
OF_ROLLOUT = ("pk", "created_at", "version", "waits", "request__state", "back_request__state", "release__state")


class News:
    """What one process has looked at, and how the rows stood then."""

    def __init__(self) -> None:
        self._looked: dict[int, tuple[tuple[Any, ...], datetime]] = {}
        self._rows: dict[int, tuple[Any, ...]] = {}
        self._called: tuple[dict[int, tuple[Any, ...]], datetime] | None = None

    def due(self, states: Sequence[str], *, now: datetime) -> list[int]:
        """Ids of the rollouts in these states that are to be looked at now; they count as looked at."""
        standing = {row[0]: row for row in Rollout.objects.filter(state__in=states).values_list(*OF_ROLLOUT)}
        self._rows = standing
        waves, upgrades = of_waves(standing), of_upgrades(standing)
        found = []
        for pk, row in standing.items():
            until = waves.get(pk, (None,))[0]
            stamp = (*row, waves.get(pk), upgrades.get(pk))
            if row[3] or (until is not None and until <= now) or self._is_new(pk, stamp, now):
                found.append(pk)
                self._looked[pk] = (stamp, now)
        self._looked = {pk: seen for pk, seen in self._looked.items() if pk in standing}
        return found

    def may_call(self, *, now: datetime) -> bool:
        """Whether somebody may have to be called since the last time this was true. Ask after `due`."""
        if self._called and self._called[0] == self._rows and now - self._called[1] < CALL_AGAIN:
            return False
        self._called = self._rows, now
        return True

    def _is_new(self, pk: int, stamp: tuple[Any, ...], now: datetime) -> bool:
        seen = self._looked.get(pk)
        return seen is None or seen[0] != stamp or now - seen[1] >= AGAIN + timedelta(seconds=pk % SPREAD)


def of_waves(rollouts: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    """Rollout → the first end of an observation, and the sum of its waves' versions."""
    ends = Min("observe_until", filter=Q(state=W.OBSERVING))
    rows = Wave.objects.filter(rollout__in=list(rollouts)).order_by().values_list("rollout")
    return {row[0]: row[1:] for row in rows.annotate(end=ends, moved=Sum("version"))}


def of_upgrades(rollouts: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    """Rollout → the sum of its upgrades' versions, and how many there are. A version only grows."""
    rows = Upgrade.objects.filter(wave__rollout__in=list(rollouts)).order_by().values_list("wave__rollout")
    return {row[0]: row[1:] for row in rows.annotate(moved=Sum("version"), number=Count("pk"))}
