"""Has a gateway seen orders that this database does not know? Then the database was restored, and nobody acts there.

Every claim draws a fence, also one that only reads or that finds nobody. `Gateway.ordered` follows the fence only where
the gateway is known not to be ahead: so no number of claims hides that a restored database is behind.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from fleet.models import Gateway

FRESH = timedelta(seconds=60)
"""For so long a process need not ask again: a backup is restored while no process runs."""
_KNOWN: dict[int, datetime] = {}


def known(gateway_id: int, now: datetime) -> bool:
    """Whether this process has seen lately that the gateway is not ahead."""
    at = _KNOWN.get(gateway_id)
    return at is not None and timedelta(0) <= now - at < FRESH


def seen(gateway_id: int, now: datetime) -> None:
    """It has answered, and it is not ahead."""
    _KNOWN[gateway_id] = now


def forget(gateway_id: int | None = None) -> None:
    """Ask this gateway again before anything is done there; without an id, every one."""
    if gateway_id is None:
        _KNOWN.clear()
    else:
        _KNOWN.pop(gateway_id, None)


def draw(gateway_id: int, *, ordered: bool) -> int:
    """The gateway's next fence, inside a transaction. `ordered`: it may be sent without asking the gateway first.

    Nobody else can draw the same: the row is ours until the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE fleet_gateway SET fence = fence + 1, ordered = CASE WHEN %s THEN fence + 1 ELSE ordered END"
            " WHERE id = %s RETURNING fence",
            [ordered, gateway_id],
        )
        return int(cursor.fetchone()[0])


def may_send(gateway_id: int, fence: int) -> None:
    """The gateway was asked and is not ahead: it may see this fence from now on."""
    Gateway.objects.filter(pk=gateway_id, ordered__lt=fence).update(ordered=fence)
