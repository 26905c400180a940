"""Which gateways a release would take back to something lower than they have run. Reads only."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.models import Gateway
from releases.models import Release
from upgrader.flow import OUTGOING
from upgrader.models import Upgrade
from upgrader.states import U

SAID = ("facts__counter", "facts__previous__release")
"""The highest counter that the gateway has seen, and what was committed before, as it last said."""


def downgraded(release: Release, gateways: Iterable[Gateway]) -> list[str]:
    """Names of those gateways that have run a release with a higher counter, and never this one.

    Going back to what a gateway has run is a rollback; the gateway itself keeps to the same rule.
    """
    ids = [row.pk for row in gateways]
    # Of facts only two values: to read the whole of thousands of answers takes a second.
    rows = list(Gateway.objects.filter(pk__in=ids).values_list("pk", "name", "release", *SAID))
    committed = Release.objects.filter(name__in={committed for _, _, committed, *_ in rows})
    counters = dict(committed.values_list("name", "counter"))
    kept = Upgrade.objects.filter(wave__rollout__release=release, state__in=[U.DRAINING, U.DONE]).exclude(way=OUTGOING)
    ran = set(kept.filter(gateway__in=ids).values_list("gateway_id", flat=True))
    return sorted(
        name
        for pk, name, committed, said, previous in rows
        if pk not in ran
        and release.name not in (committed, previous)
        and release.counter < max(said if isinstance(said, int) else 0, counters.get(committed, 0))
    )
