"""What lets a gateway download: one release, one gateway, one hash, minutes of life. Nothing of a ticket is stored.

A ticket is signed with HMAC-SHA256 and a key that Django derives from SECRET_KEY for this use alone. It says who may
fetch what until when; whether that is still right is asked of the database when the ticket is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from fleet.models import Gateway
from releases.models import Release

SALT = "releases.tickets"
MINE = (Gateway.State.ENROLLED, Gateway.State.UNREACHABLE)  # that we can't reach it may be why it comes to us


@dataclass(frozen=True)
class Ticket:
    """A ticket that was shown and is good. `mark` tells it from others in the record; it opens nothing."""

    release: Release
    gateway: Gateway
    mark: str


def issue(release: Release, gateway: Gateway, *, actor: Actor, now: datetime) -> str:
    """Return a ticket for this gateway to download this release's bundle. Each one is an event."""
    until = now + timedelta(minutes=settings.TICKET_MINUTES)
    said = {"r": release.digest, "g": gateway.pk, "s": release.sha256, "e": int(until.timestamp())}
    ticket = _signer().sign_object(said)
    details = {"gateway": gateway.name, "sha256": release.sha256, "until": until, "ticket": _mark(ticket)}
    with transaction.atomic():
        audit.append("ticket.issued", subject=f"release:{release.pk}", actor=actor, at=now, details=details)
    return ticket


def admit(text: str, *, sha256: str, now: datetime) -> Ticket:
    """Return the ticket that `text` is, if it opens the bundle with this hash now. Refused says why not."""
    said = _read(text)
    if said["s"] != sha256:
        raise Refused("This ticket is for another bundle.")
    if said["e"] < now.timestamp():
        raise Refused("This ticket is too old. Have the release staged again: that gives a new one.")
    release = Release.objects.filter(digest=said["r"], sha256=sha256).first()
    if release is None or release.state != Release.State.READY:
        raise Refused("The release of this ticket was withdrawn.")
    gateway = Gateway.objects.filter(pk=said["g"], state__in=MINE).first()
    if gateway is None:
        raise Refused("The gateway of this ticket is not of the fleet, or is kept apart until a person has looked.")
    return Ticket(release, gateway, _mark(text))


def _signer() -> signing.Signer:
    return signing.Signer(salt=SALT)


def _mark(ticket: str) -> str:
    return ticket.rpartition(":")[2][:12]


def _read(text: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = _signer().unsign_object(text)
    except signing.BadSignature:
        raise Refused("This is no ticket of ours.")
    return said
