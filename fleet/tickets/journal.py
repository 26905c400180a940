"""The one writer of complaints and their sources; each change with its event in the same transaction.

The record is for ever: it holds numbers of complaints, and no user's name and no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from fleet.models import Ticket, TicketSource
from fleet.tickets.mapping import Complaint


def take(source: TicketSource, complaint: Complaint, *, gateway: int | None, now: datetime) -> bool:
    """Write one down; False where it is known already, and then only whether it is closed is taken over.

    `gateway`: the one that it names.
    """
    actor = Actor.machine(f"noc:{source.name}")
    try:
        with transaction.atomic():
            row = {"user": complaint.user, "address": complaint.address, "text": complaint.text, "pool": source.pool}
            times = {"reported_at": complaint.at, "received_at": now, "due_at": now}
            times |= {"closed_at": now} if complaint.closed else {}
            whose = {"source": source, "external_id": complaint.id, "reported_by": f"noc:{source.name}"}
            ticket = Ticket.objects.create(**whose, **row, **times, gateway_id=gateway)
            _record("reported", ticket, actor=actor, now=now)
            return True
    except IntegrityError:
        known = Ticket.objects.filter(source=source, external_id=complaint.id).first()
        if known is None:
            raise
        if complaint.closed:
            close(known, actor=actor, now=now)
        return False


def report(row: Mapping[str, Any], *, actor: Actor, now: datetime) -> Ticket:
    """One that a person wrote down. IntegrityError for one of the same form that is there already."""
    with transaction.atomic():
        ticket = Ticket.objects.create(**row, received_at=now, reported_by=actor.name)
        _record("reported", ticket, actor=actor, now=now)
        return ticket


def close(ticket: Ticket, *, actor: Actor, now: datetime) -> bool:
    """False when it was closed already."""
    with transaction.atomic():
        if not Ticket.objects.filter(pk=ticket.pk, closed_at=None).update(closed_at=now):
            return False
        _record("closed", ticket, actor=actor, now=now)
        return True


def place(ticket: Ticket, row: Mapping[str, Any], *, now: datetime) -> bool:
    """Its gateway was found, or given up on; False when another worker was first."""
    with transaction.atomic():
        open_row = Ticket.objects.filter(pk=ticket.pk, found=Ticket.Found.WAITING, tries=ticket.tries)
        if not open_row.update(**row, tries=ticket.tries + 1, due_at=None):
            return False
        ticket.refresh_from_db()
        _record("placed", ticket, actor=Actor.machine("tickets"), now=now)
        return True


def later(ticket: Ticket, due_at: datetime) -> bool:
    """Look for its gateway again then."""
    waiting = Ticket.objects.filter(pk=ticket.pk, found=Ticket.Found.WAITING, tries=ticket.tries)
    return bool(waiting.update(tries=ticket.tries + 1, due_at=due_at))


def add_source(row: Mapping[str, Any], *, actor: Actor, now: datetime, why: str) -> TicketSource:
    try:
        with transaction.atomic():
            source = TicketSource.objects.create(**row, added_by=actor.name, added_at=now)
            _told("added", source, actor=actor, now=now, why=why)
            return source
    except IntegrityError:
        raise Refused(f"There is a system named {row['name']} already: choose another name.") from None


def end_source(source: TicketSource, *, actor: Actor, now: datetime, why: str) -> None:
    with transaction.atomic():
        if not TicketSource.objects.filter(pk=source.pk, ended_at=None).update(ended_at=now):
            raise Refused(f"{source.name} was let go already; its token is worth nothing.")
        _told("ended", source, actor=actor, now=now, why=why)


def _told(verb: str, source: TicketSource, *, actor: Actor, now: datetime, why: str) -> None:
    about = {"name": source.name, "kind": source.kind, "pool": source.pool_id}
    audit.append(
        f"ticket_source.{verb}", subject=f"ticket_source:{source.pk}", actor=actor, at=now, reason=why, details=about
    )


def _record(verb: str, ticket: Ticket, *, actor: Actor, now: datetime) -> None:
    about: dict[str, Any] = {
        "source": ticket.source_id,
        "external_id": ticket.external_id,
        "gateway": ticket.gateway_id,
    }
    about |= {"slot": ticket.slot, "release": ticket.release, "found": str(ticket.found)}
    audit.append(f"ticket.{verb}", subject=f"ticket:{ticket.pk}", actor=actor, at=now, details=about)
