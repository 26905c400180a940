"""The one writer of complaints and their sources; each change with its event in the same transaction.

The record is for ever: it holds numbers of complaints, and no user's name and no text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from fleet import sealed
from fleet.models import Ticket, TicketMessage, TicketSource
from fleet.tickets import proofs
from fleet.tickets.mapping import Complaint
from fleet.tickets.proofs import Proven


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


def note(proof: Proven, *, now: datetime) -> None:
    """That a signed message was taken, and that a system still uses what was to be given up."""
    if proof.message:
        with contextlib.suppress(IntegrityError), transaction.atomic():  # a copy of it was a moment faster
            TicketMessage.objects.create(source=proof.source, message_id=proof.message, at=now)
        TicketMessage.objects.filter(at__lt=now - proofs.KEPT).delete()
    if proof.by_old:
        TicketSource.objects.filter(pk=proof.source.pk).update(old_used_at=now)


def add_source(row: Mapping[str, Any], secret: str, *, actor: Actor, now: datetime, why: str) -> TicketSource:
    try:
        with transaction.atomic():
            token = "" if row["proof"] else proofs.hashed(secret)
            source = TicketSource.objects.create(**row, token_sha256=token, added_by=actor.name, added_at=now)
            if source.proof:
                sealed.seal(proofs.secret_name(source), secret.encode(), now=now)
            _told("added", source, actor=actor, now=now, why=why)
            return source
    except IntegrityError:
        raise Refused(f"There is a system named {row['name']} already: choose another name.") from None


def renew_source(
    source: TicketSource, secret: str, *, wish: tuple[int, str], actor: Actor, now: datetime, why: str
) -> None:
    """Put a new token or secret in place of the one that was seen. `wish`: hours that it is good, too; its version."""
    hours, seen = wish
    with transaction.atomic():
        fresh = TicketSource.objects.select_for_update().get(pk=source.pk)
        if fresh.ended_at is not None:
            raise Refused(f"{fresh.name} was let go.")
        if proofs.version(fresh) != seen:
            raise Refused(f"{fresh.name} was given another one meanwhile: it was shown to who asked for it.")
        fresh.old_until, fresh.old_used_at = now + timedelta(hours=hours) if hours else None, None
        if fresh.proof:
            _keep_before(fresh, hours=hours, now=now)
            sealed.seal(proofs.secret_name(fresh), secret.encode(), now=now)
        else:
            fresh.old_sha256 = fresh.token_sha256 if hours else ""
            fresh.token_sha256 = proofs.hashed(secret)
        fresh.save(update_fields=["old_until", "old_used_at", "old_sha256", "token_sha256"])
        _told("renewed", fresh, actor=actor, now=now, why=why)


def _keep_before(source: TicketSource, *, hours: int, now: datetime) -> None:
    before = sealed.unseal_or_none(proofs.secret_name(source)) if hours else None
    if before is None:
        sealed.drop(proofs.secret_name(source, old=True))
    else:
        sealed.seal(proofs.secret_name(source, old=True), before, now=now)


def end_source(source: TicketSource, *, actor: Actor, now: datetime, why: str) -> None:
    with transaction.atomic():
        if not TicketSource.objects.filter(pk=source.pk, ended_at=None).update(ended_at=now):
            raise Refused(f"{source.name} was let go already; its token is worth nothing.")
        for old in (False, True):
            sealed.drop(proofs.secret_name(source, old=old))
        _told("ended", source, actor=actor, now=now, why=why)


def _told(verb: str, source: TicketSource, *, actor: Actor, now: datetime, why: str) -> None:
    about = {"name": source.name, "kind": source.kind, "pool": source.pool_id, "proof": source.proof or "token"}
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
