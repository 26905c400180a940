"""In which time zone the people of a pool live: that of its windows. Reads only."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.db.models import F, Q

from approvals.windows import WindowError, parse_zone
from upgrader.models import Window


def zone_of(pool_id: int) -> ZoneInfo:
    """The zone of a pool's first window, else of the fleet's; without any, or where it can't be read, UTC."""
    rows = Window.objects.filter(Q(pool=pool_id) | Q(pool=None), ended_at=None)
    name = rows.order_by(F("pool").desc(nulls_last=True), "pk").values_list("zone", flat=True).first()
    try:
        return parse_zone(name or "UTC")
    except WindowError:
        return parse_zone("UTC")
