"""What pages show of complaints. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from approvals import rights
from approvals.models import User
from fleet import selectors
from fleet.models import Gateway, Ticket, TicketSource
from fleet.tickets import rate, services
from fleet.tickets.partings import partings
from fleet.words import Word

MOST = 200
DAYS = (1, 7, 30)
OPEN = Word("Open", "waiting", "inbox")
CLOSED = Word("Closed", "done", "circle-check")
FILTERS = ("pool", "gateway", "release", "source", "state", "days", "q")
RATES = 6


def tickets_for(user: User) -> QuerySet[Ticket]:
    """Those about gateways and pools that the user may see; of no pool: for who may see them all."""
    pools = selectors.visible_pools(user)
    mine = Q(pool__in=pools)
    if rights.everywhere(user, "fleet.view_pool"):
        mine |= Q(pool=None)
    return Ticket.objects.filter(mine).select_related("gateway", "pool", "source")


def ticket_list(user: User, wish: dict[str, str], now: datetime) -> dict[str, Any]:
    """The context of fleet/ticket_list.html. `wish`: what was typed into FILTERS."""
    days = next((one for one in DAYS if str(one) == wish.get("days")), DAYS[1])
    rows = filtered(tickets_for(user), wish).filter(reported_at__gte=now - timedelta(days=days))
    gateways = selectors.gateways_for(user)
    if wish.get("pool"):
        gateways = gateways.filter(pool__name=wish["pool"])
    return {
        "rows": shown(rows[:MOST]),
        "total": rows.count(),
        "most": MOST,
        "rates": rates(gateways, days, now),
        "wish": wish | {"days": str(days)},
        "days": DAYS,
        "filters": any(wish.get(name) for name in FILTERS if name != "days"),
        "pools": list(selectors.visible_pools(user)),
        "sources": list(sources_for(user)),
        "mine": {pool.pk for pool in services.pools_of(user)},
    }


def shown(rows: Iterable[Ticket]) -> list[dict[str, Any]]:
    """Rows as fleet/_ticket_rows.html and others have them: with its word, and whether its user was cut before."""
    told = list(rows)
    parted = partings(told)
    return [{"row": row, "word": CLOSED if row.closed_at else OPEN, "cut": parted.get(row.pk)} for row in told]


def filtered(rows: QuerySet[Ticket], wish: dict[str, str]) -> QuerySet[Ticket]:
    for name, column in (("pool", "pool__name"), ("gateway", "gateway__name"), ("release", "release")):
        if wish.get(name):
            rows = rows.filter(**{column: wish[name]})
    if wish.get("source"):
        rows = rows.filter(source=None) if wish["source"] == "-" else rows.filter(source__name=wish["source"])
    if wish.get("state") in ("open", "closed"):
        rows = rows.filter(closed_at__isnull=wish["state"] == "open")
    if text := wish.get("q"):
        rows = rows.filter(Q(user__icontains=text) | Q(address__icontains=text) | Q(text__icontains=text))
    return rows


def rates(gateways: QuerySet[Gateway], days: int, now: datetime) -> list[dict[str, Any]]:
    """Complaints of sessions by release, most of them first."""
    found = rate.by_release(gateways.order_by(), since=now.timestamp() - 86_400 * days, until=now.timestamp())
    told = sorted(found.items(), key=lambda item: (-item[1].complaints, item[0]))
    known = [(release, one) for release, one in told if one.complaints or one.sessions]
    return [{"release": release or "no name", "rate": one} for release, one in known[:RATES]]


def of_gateway(gateway: Gateway, user: User, now: datetime) -> dict[str, Any]:
    """The context of fleet/_gateway_tickets.html."""
    rows = gateway.tickets.filter(reported_at__gte=now - timedelta(days=DAYS[1])).order_by("-reported_at")
    return {
        "tickets": shown(rows[:5]),
        "tickets_number": rows.count(),
        "may_report": services.may_report(user, gateway.pool_id),
    }


def sources_for(user: User) -> QuerySet[TicketSource]:
    """Systems that report about pools that the user may see."""
    every = Q(pool__in=selectors.visible_pools(user)) | Q(pool=None)
    rows = TicketSource.objects.filter(every).select_related("pool")
    return rows if selectors.visible_pools(user).exists() else rows.none()
