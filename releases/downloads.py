"""What a gateway may download, and what the record says of it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from django.conf import settings
from django.db import transaction

from approvals import audit
from approvals.models import Actor
from fleet.bundles import Download
from fleet.models import Gateway
from fleet.ports import ReleaseFiles
from releases import storage, tickets
from releases.models import Release
from releases.tickets import Ticket

MACHINE = Actor.machine("handover")
REMEMBERED_MOST = 10_000  # tickets

What = Literal["bundle.download_begun", "bundle.downloaded"]


@dataclass(frozen=True)
class Wanted:
    """A bundle that somebody with a good ticket asks for."""

    ticket: Ticket
    name: str  # in the storage
    sha256: str
    size: int  # bytes


def wanted(text: str, *, sha256: str, now: datetime) -> Wanted:
    """What this ticket opens. Refused when it opens nothing."""
    ticket = tickets.admit(text, sha256=sha256, now=now)
    return Wanted(ticket, ticket.release.bundle, sha256, ticket.release.size)


def path_of(bundle: Wanted) -> Path:
    """The bundle's file on this machine; slow where it has to be fetched. RetryLater when it is not whole."""
    return storage.path_of(bundle.name, sha256=bundle.sha256)


def offered(files: ReleaseFiles, release: Release, gateway: Gateway, *, now: datetime) -> ReleaseFiles:
    """The same files with a ticket to fetch the bundle, for a gateway that calls in; where settings say no address
    that gateways reach, it comes over SSH."""
    if not (gateway.calls_in and settings.DOWNLOAD_URL):
        return files
    ticket = tickets.issue(release, gateway, actor=MACHINE, now=now)
    url = f"{settings.DOWNLOAD_URL}/bundles/{files.sha256}"
    return replace(files, download=Download(url, ticket, settings.DOWNLOAD_RATE))


def let_call_in(gateway: Gateway, *, wish: bool, actor: Actor, now: datetime) -> None:
    """Have a gateway fetch its bundles itself from now on, or be sent them. Nothing happens the second time."""
    with transaction.atomic():
        if Gateway.objects.filter(pk=gateway.pk, calls_in=not wish).update(calls_in=wish):
            details = {"name": gateway.name, "calls_in": wish}
            audit.append("gateway.calls_in", subject=f"gateway:{gateway.pk}", actor=actor, at=now, details=details)


class Told:
    """Writes downloads into the record: one beginning and one end a ticket, however many ranges it is fetched in."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, What], None] = OrderedDict()

    def __call__(self, what: What, bundle: Wanted, *, now: datetime, ip: str, start: int, sent: int) -> None:
        ticket, key = bundle.ticket, (bundle.ticket.mark, what)
        if key in self._told:
            return
        self._told[key] = None
        while len(self._told) > REMEMBERED_MOST:
            self._told.popitem(last=False)
        said = {"gateway": ticket.gateway.name, "sha256": bundle.sha256, "ticket": ticket.mark}
        details = {**said, "start": start, "bytes": sent, "ip": ip}
        actor = Actor.machine(f"gateway {ticket.gateway.name}")
        with transaction.atomic():
            audit.append(what, subject=f"release:{ticket.release.pk}", actor=actor, at=now, details=details)
