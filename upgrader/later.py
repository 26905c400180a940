"""Who came to a gateway after whom: what is on it is the last one's to take back. Reads only.

The order is that of the work there, not that of the plans: a rollout that was drafted on Monday may begin on Friday,
behind one of Wednesday.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Max, Q, QuerySet

from upgrader.flow import BEGINS
from upgrader.models import Rollout, Upgrade
from upgrader.states import U

BEGAN = Max("steps__pk", filter=Q(steps__name=BEGINS[U.UPGRADING]))
NOT_THERE = (U.PLANNED, U.ROLLED_BACK, U.SKIPPED)


def after(rollout: Rollout, gateways: Collection[int]) -> QuerySet[Upgrade]:
    """Other rollouts' upgrades that began on these gateways after this rollout's own did, and that stand there.

    Who never came past the preflight has no slot, and nothing of his is there.
    """
    others = Upgrade.objects.filter(gateway__in=gateways, to_slot__isnull=False).exclude(wave__rollout=rollout)
    theirs = began(others.exclude(state__in=NOT_THERE))
    if not theirs:
        return Upgrade.objects.none()
    own = Upgrade.objects.filter(wave__rollout=rollout, gateway__in=gateways)
    mine = {gateway: at for _, gateway, at in began(own)}
    return Upgrade.objects.filter(pk__in=[pk for pk, gateway, at in theirs if at > mine.get(gateway, 0)])


def began(upgrades: QuerySet[Upgrade]) -> list[tuple[int, int, int]]:
    """Upgrade, gateway, and the last time it began there, as a number that grows; the latest of a gateway last."""
    rows = upgrades.order_by().annotate(began=BEGAN).values_list("pk", "gateway_id", "began")
    return sorted(((pk, gateway, at or 0) for pk, gateway, at in rows), key=lambda row: row[2])
