"""What pages read of releases. Reads only."""

from __future__ import annotations

from django.db.models import Count, Q, QuerySet

from approvals import rights
from approvals.models import User
from fleet.models import Gateway
from fleet.selectors import visible_pools
from releases.models import Release


def releases_for(user: User) -> QuerySet[Release]:
    """Releases, for everybody who may look at a pool or add releases; nobody else learns what will run."""
    if not visible_pools(user).exists() and not rights.everywhere(user, "releases.add_release"):
        return Release.objects.none()
    return Release.objects.select_related("added_by").annotate(signed=Count("signatures", distinct=True))


def serving(user: User, names: list[str]) -> dict[str, int]:
    """How many of the gateways that the user may see serve each of these releases."""
    rows = Gateway.objects.filter(Q(release__in=names), pool__in=visible_pools(user))
    rows = rows.exclude(state=Gateway.State.LEFT)
    return dict(rows.values_list("release").annotate(Count("pk")))
