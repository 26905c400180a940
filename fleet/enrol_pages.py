"""What pages show of enrolment, leaving and host keys. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from approvals import changes, rights
from approvals.models import Request, User
from fleet import enrolment, guests, services
from fleet.gateways.dial import fingerprint_of
from fleet.models import Gateway

ABOUT_GATEWAYS = [enrolment.ENROL, enrolment.LEAVE, enrolment.HOST_KEY]
"""Kinds of changes that the page of their gateway shows while they wait. The apps above add theirs."""


@dataclass(frozen=True)
class Acts:
    """What this person may do with this gateway, and what is needed to decide it."""

    enrol: bool
    waiting: tuple[Request, ...]
    busy: str
    pinned: tuple[tuple[str, str], ...]  # (kind, fingerprint)
    seen: tuple[tuple[str, str], ...]
    was_here: bool  # it was enrolled once: there is something to take off the machine
    ahead: int = 0  # it has seen orders up to here that this database does not know
    uninstall: str = f"sudo {guests.UNINSTALL}"


def acts(person: User, gateway: Gateway) -> Acts:
    """Return the acts of one gateway's page."""
    asked = Request.objects.filter(state=Request.State.OPEN, kind__in=ABOUT_GATEWAYS).select_related("requested_by")
    waiting = [one for one in asked[:200] if _about(one, gateway) and changes.may_see(person, one)]
    return Acts(
        enrol=rights.may(person, "fleet.enrol_gateway", f"pool:{gateway.pool_id}"),
        waiting=tuple(waiting),
        busy=enrolment.why_busy(gateway),
        pinned=_prints(gateway.host_keys.values_list("kind", "key")),
        seen=_prints((str(kind), str(key)) for kind, key in gateway.seen_keys),
        was_here=gateway.facts_at is not None,
        ahead=services.orders_ahead(gateway),
    )


def sees_credentials(person: User) -> bool:
    """Who may ask for or confirm gateways everywhere, and who reads the record, sees which credentials there are."""
    over_all = (
        rights.may(person, right, rights.EVERYTHING) for right in ("fleet.enrol_gateway", "fleet.approve_gateway")
    )
    return rights.everywhere(person, "approvals.view_auditevent") or any(over_all)


def _about(request: Request, gateway: Gateway) -> bool:
    if request.subject == f"gateway:{gateway.pk}":
        return True
    entries = request.summary.get("payload", {}).get("gateways", [])
    return any(entry["name"] == gateway.name for entry in entries)


def _prints(keys: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((kind, fingerprint_of(key)) for kind, key in keys))
