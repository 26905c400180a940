"""What the pool's page is given. Reads only."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum
from django.utils import timezone

from approvals.models import User
from fleet import selectors as fleet
from fleet.metrics import pages
from fleet.models import Gateway, Pool
from upgrader import drafts, selectors

ROLLOUTS = 8


def page(pool: Pool, user: User, *, hours: int) -> dict[str, Any]:
    """Everything that upgrader/_pool_now.html reads."""
    here = pool.gateways.filter(state__in=(*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED))
    trouble = here.filter(state__in=fleet.TROUBLE).order_by("name")
    rollouts = selectors.rollouts_for(user).filter(pool=pool)[:ROLLOUTS]
    return {
        "pool": pool,
        "number": here.count(),
        "users": here.aggregate(users=Sum("sessions"))["users"] or 0,
        "trouble": list(trouble[:12]),
        "in_trouble": trouble.count(),
        "mix": here.values("release").annotate(n=Count("pk")).order_by("-n", "release"),
        "rollouts": [{"rollout": row, "word": word} for row, word in selectors.words_of(rollouts, timezone.now())],
        "may_plan": drafts.pools(user).filter(pk=pool.pk).exists(),
        "hours": hours,
        "ranges": pages.ranges(),
    }
