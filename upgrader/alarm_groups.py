"""Which gateways' alarms are one alert because a rollout's wave is at work on them. Reads only."""

from __future__ import annotations

from django.urls import reverse

from fleet.alarms.watch import Group, Groups
from upgrader.models import Upgrade
from upgrader.states import ROLLOUT_OVER, U

APART = (U.PLANNED, U.SKIPPED, U.DONE, U.ROLLED_BACK)
"""What happens on a gateway in these states is not of the rollout's making."""


def groups() -> Groups:
    """Gateway → its wave, in one query."""
    rows = Upgrade.objects.exclude(state__in=APART).exclude(wave__rollout__state__in=ROLLOUT_OVER)
    columns = ("gateway", "wave", "wave__number", "wave__rollout", "wave__rollout__release__product")
    found: dict[int, Group] = {}
    more = ("wave__rollout__release__name", "wave__rollout__pool__name")
    # A gateway in two of them (an older one still drains) is the newer one's.
    for gateway, wave, number, rollout, product, release, pool in rows.order_by("pk").values_list(*columns, *more):
        about = f"wave {number} of rollout {rollout} ({product} {release} to {pool})"
        found[gateway] = Group(f"wave:{wave}", about, reverse("decision", args=[rollout]), rollout)
    return found
