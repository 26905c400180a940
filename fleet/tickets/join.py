"""Which gateway, slot and release a complaint is about: by its name, by the user's session now, by who served then.

Asking gateways takes time, so a complaint is written down first and joined a moment later, outside any transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from fleet import ports
from fleet.errors import GiveUp, RetryLater
from fleet.gateways.answers import GatewayBug
from fleet.models import Gateway, Reading, Span, Ticket
from fleet.tickets import journal, match
from fleet.tickets.match import Place, Served
from fleet.tickets.services import hosts_of

FRESH = timedelta(minutes=15)  # so long a user who complains is taken to be on the gateway still
AGAIN = timedelta(minutes=1)
TRIES = 3
ASK_MOST = 200  # gateways
AT_ONCE = 50  # complaints of one round
Opener = Callable[[Gateway], ports.Gateway]


def due(now: datetime) -> list[int]:
    """Complaints whose gateway is to be looked for now."""
    waiting = Ticket.objects.filter(found=Ticket.Found.WAITING, due_at__lte=now)
    return list(waiting.order_by("due_at").values_list("pk", flat=True)[:AT_ONCE])


def join(ticket_id: int, *, opener: Opener, now: datetime) -> bool:
    """Find its place, or look again later; whether it is decided."""
    ticket = Ticket.objects.select_related("gateway").filter(pk=ticket_id, found=Ticket.Found.WAITING).first()
    if ticket is None:
        return False
    by, candidates = where(ticket)
    place, silent = None, False
    if (ticket.user or ticket.address) and now - ticket.reported_at <= FRESH:
        sessions, silent = asked(candidates, opener)
        place = match.on_session(ticket.user, ticket.address, sessions)
    if place is None and not by and silent and ticket.tries + 1 < TRIES:
        journal.later(ticket, now + AGAIN)
        return False
    gateway = candidates[0] if by else next((one for one in candidates if place and one.pk == place.gateway), None)
    return journal.place(ticket, _row(ticket, by, gateway, place, now=now), now=now)


def where(ticket: Ticket) -> tuple[str, Sequence[Gateway]]:
    """By what its gateway is known, and that; else "" and those that it may be."""
    rows = Gateway.objects.defer("inventory", "config", "seen_keys")
    if ticket.gateway_id:
        return Ticket.Found.NAMED, list(rows.filter(pk=ticket.gateway_id))
    if known := match.named(ticket.address, hosts_of(ticket.pool_id)):
        return Ticket.Found.ADDRESS, list(rows.filter(pk=known))
    mine = rows.filter(state__in=Gateway.SPOKEN_TO, **({"pool": ticket.pool_id} if ticket.pool_id else {}))
    return "", list(mine[:ASK_MOST])


def asked(candidates: Sequence[Gateway], opener: Opener) -> tuple[dict[int, Sequence[ports.Session]], bool]:
    """Who is on each gateway now, and whether one of them did not answer."""
    found: dict[int, Sequence[ports.Session]] = {}
    for gateway in candidates:
        try:
            reached = opener(gateway)
            try:
                found[gateway.pk] = reached.sessions()
            finally:
                reached.close()
        except (RetryLater, GiveUp, GatewayBug):
            continue
    return found, len(found) < len(candidates)


def _row(ticket: Ticket, by: str, gateway: Gateway | None, place: Place | None, *, now: datetime) -> dict[str, Any]:
    """The columns of what was found."""
    if gateway is None:
        return {"found": Ticket.Found.NOWHERE}
    then = served_at(gateway, ticket.reported_at, now=now)
    slot, release = match.served(place.slot if place else None, then)
    found = by or Ticket.Found.SESSION
    return {"gateway": gateway, "pool_id": gateway.pool_id, "slot": slot, "release": release, "found": found}


def served_at(gateway: Gateway, at: datetime, *, now: datetime) -> list[Served]:
    """The slots at a time: as was measured then, in the finest span that has it; else as the gateway just said."""
    moment = at.timestamp()
    for span in sorted(Span.DEFAULTS):
        near = Reading.objects.filter(gateway=gateway, span=span, at__gt=moment - 3 * span, at__lte=moment + span)
        rows = near.order_by("at").values_list("slot", "release", "sessions")
        latest = {slot: Served(slot, release, sessions or 0.0) for slot, release, sessions in rows}
        if latest:
            return list(latest.values())
    if now - at > FRESH:
        return []
    slots: list[dict[str, Any]] = (gateway.facts or {}).get("slots", [])
    return [Served(int(one["slot"]), str(one.get("release", "")), float(one.get("sessions", 0))) for one in slots]
