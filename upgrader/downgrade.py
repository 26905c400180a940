"""Which gateways a release would take back to something lower than they have run. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.models import Gateway
from releases.models import Release
from upgrader.models import Upgrade
from upgrader.states import U


def downgraded(release: Release, gateways: Iterable[Gateway]) -> list[str]:
    """Names of those gateways that have run a release with a higher counter, and never this one.

    Going back to what a gateway has run is a rollback; the gateway itself keeps to the same rule.
    """
    rows = list(gateways)
    committed = Release.objects.filter(name__in={row.release for row in rows})
    counters = dict(committed.values_list("name", "counter"))
    kept = Upgrade.objects.filter(wave__rollout__release=release, state__in=[U.DRAINING, U.DONE])
    ran = set(kept.filter(gateway__in=rows).values_list("gateway_id", flat=True))
    return sorted(
        row.name
        for row in rows
        if row.pk not in ran and release.name not in _has_run(row) and release.counter < _highest(row, counters)
    )


def _has_run(row: Gateway) -> set[str]:
    """Committed, and before that, as the gateway last said."""
    previous = row.facts.get("previous")
    return {row.release, str(previous.get("release", "")) if isinstance(previous, dict) else ""}


def _highest(row: Gateway, counters: dict[str, int]) -> int:
    said = row.facts.get("counter")
    return max(said if isinstance(said, int) else 0, counters.get(row.release, 0))
