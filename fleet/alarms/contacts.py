"""Whom alerts reach: added, tried and retired. With devices.py the only writer of Contact rows; their addresses are
sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import sealed
from fleet.alarms import devices, post, signing
from fleet.alarms.addresses import KINDS, BadAddress, allowed_networks, hint, kind_of, why_not
from fleet.errors import Unfinished
from fleet.models import Contact, Delivery, Pool

RIGHT = "fleet.change_contact"
MINUTES_MOST = 24 * 60


@dataclass(frozen=True)
class Wanted:
    """A contact as a person wants it. `pool` None: all pools."""

    name: str
    address: str
    pool: Pool | None
    severity: str
    after_minutes: int
    repeat_minutes: int


def standing() -> QuerySet[Contact]:
    return Contact.objects.filter(retired_at=None).select_related("pool", "made_by")


def add(wanted: Wanted, *, by: User, actor: Actor, now: datetime) -> tuple[Contact, str]:
    """Seal the address and tell this contact from now on; it, and a webhook's secret. Raise Refused: what is wrong."""
    demand(by)
    _check(wanted)
    if (kind := kind_of(wanted.address)) == devices.KIND:
        raise Refused("A browser is turned on in that browser: Alerts, This device.")
    try:
        with transaction.atomic():
            row = Contact.objects.create(
                name=wanted.name,
                kind=kind,
                pool=wanted.pool,
                severity=wanted.severity,
                after_minutes=wanted.after_minutes,
                repeat_minutes=wanted.repeat_minutes,
                hint=hint(wanted.address),
                made_by=by,
                made_at=now,
            )
            sealed.seal(signing.seal_name(row), wanted.address.strip().encode(), now=now)
            about = {"name": row.name, "kind": kind, "hint": row.hint, "pool": row.pool.name if row.pool else ""}
            about |= {"severity": row.severity, "after": str(row.after_minutes), "again": str(row.repeat_minutes)}
            audit.append("contact.added", subject=f"contact:{row.pk}", actor=actor, at=now, details=about)
            return row, signing.renew(row, hours=0, now=now) if kind == signing.KIND else ""
    except IntegrityError:
        raise Refused(f"There is a contact {wanted.name} already. Retire it first, or take another name.") from None


def retire(contact: Contact, *, by: User, actor: Actor, now: datetime) -> None:
    """Tell it nothing more, and forget its address. Refused the second time."""
    demand(by)
    with transaction.atomic():
        if not Contact.objects.filter(pk=contact.pk, retired_at=None).update(retired_at=now):
            raise Refused(f"{contact.name} is retired already.")
        signing.forget(contact)
        about = {"name": contact.name}
        audit.append("contact.retired", subject=f"contact:{contact.pk}", actor=actor, at=now, details=about)


def renew(contact: Contact, *, hours: int, seen: str, by: User, actor: Actor, now: datetime) -> str:
    """Give a webhook a new secret, and return it; the one before signs as well for so many hours. Raise Refused.

    `seen`: signing.version of the page that asks.
    """
    demand(by)
    if contact.kind != signing.KIND:
        raise Refused(f"{contact.name} is no webhook: only webhooks are signed.")
    if hours not in signing.HOURS:
        raise Refused("Say for how long the secret before signs, too.")
    with transaction.atomic():
        fresh = Contact.objects.select_for_update().get(pk=contact.pk)
        if fresh.retired_at is not None:
            raise Refused(f"{contact.name} is retired.")
        if signing.version(fresh) != seen:
            raise Refused(f"{contact.name} was given another secret meanwhile: it was shown to who asked for it.")
        about = {"name": fresh.name, "old_hours": str(hours)}
        audit.append("contact.secret", subject=f"contact:{fresh.pk}", actor=actor, at=now, details=about)
        return signing.renew(fresh, hours=hours, now=now)


def trial(contact: Contact, *, by: User, actor: Actor, now: datetime) -> Delivery:
    """Ask for a test message; the one that is on its way already counts as the answer to a second ask."""
    demand(by)
    if contact.retired_at is not None:
        raise Refused(f"{contact.name} is retired.")
    with transaction.atomic():
        Contact.objects.select_for_update().get(pk=contact.pk)
        tests = contact.deliveries.filter(what=Delivery.What.TEST)
        waiting = tests.filter(state__in=[Delivery.State.DUE, Delivery.State.CLAIMED]).first()
        if waiting is not None:
            return waiting
        made = contact.deliveries.create(what=Delivery.What.TEST, due_at=now, created_at=now)
        about = {"name": contact.name, "delivery": made.pk}
        audit.append("contact.tried", subject=f"contact:{contact.pk}", actor=actor, at=now, details=about)
        return made


def demand(by: User) -> None:
    if not rights.may(by, RIGHT, rights.EVERYTHING):
        raise Refused(f"You may not change whom alerts reach: you lack the right “{rights.said(RIGHT)}”.")


def _check(wanted: Wanted) -> None:
    if not wanted.name or len(wanted.name) > 60 or not wanted.name.isprintable():
        raise Refused("Give it a name of at most 60 characters.")
    if wanted.severity not in Contact.Severity.values:
        raise Refused("Say whether it gets everything, or only what is critical.")
    for minutes in (wanted.after_minutes, wanted.repeat_minutes):
        if not 0 <= minutes <= MINUTES_MOST:
            raise Refused(f"Minutes are a whole number from 0 to {MINUTES_MOST}.")
    try:
        shown = hint(wanted.address)
        host = shown.rpartition(" ")[2] if " by " in shown else ""
        # A name is looked up when it is spoken to, and judged then; an address can be judged now.
        is_address = host.replace(".", "").isdigit() or ":" in host
        if is_address and (say := why_not(host, allowed_networks(settings.ALERTS_TO))):
            raise Refused(say)
        post.check(wanted.address)
    except (BadAddress, Unfinished) as wrong:
        raise Refused(wrong.say) from None


def kinds() -> list[tuple[str, str]]:
    """What each kind is called, and an example of its address."""
    return [(kind.title, kind.example) for kind in KINDS.values() if kind.example]
