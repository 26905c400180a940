"""Webhooks of contacts: their secrets, which are sealed, and the signed message. It writes Contact.signs, .old_until.

Until old_until a message is signed with the secret before, too: the other side changes over in that time.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from approvals import signed_webhook
from fleet import sealed
from fleet.alarms import about, hooks
from fleet.alarms.hooks import Hook
from fleet.alarms.message import Message, address, path, told_path
from fleet.models import Alert, Contact, Credential, Delivery

KIND = "webhook"
HOURS = (0, 24, 168)  # that the secret before may sign, too


def seal_name(contact: Contact) -> str:
    """Of its address."""
    return f"contact:{contact.pk}"


def secret_name(contact: Contact, *, old: bool = False) -> str:
    return f"{seal_name(contact)}:{'old-secret' if old else 'secret'}"


def id_of(delivery: Delivery) -> str:
    """The same for each try: by it the other side knows a message that comes twice."""
    return f"handover-{delivery.pk}"


def renew(contact: Contact, *, hours: int, now: datetime) -> str:
    """Seal a new secret and return it: it is shown this once. Inside a transaction of the caller's."""
    made = signed_webhook.secret_of(secrets.token_bytes(signed_webhook.KEY_BYTES))
    before = sealed.unseal_or_none(secret_name(contact)) if hours else None
    if before is None:
        sealed.drop(secret_name(contact, old=True))
    else:
        sealed.seal(secret_name(contact, old=True), before, now=now)
    sealed.seal(secret_name(contact), made.encode(), now=now)
    contact.signs, contact.old_until = True, now + timedelta(hours=hours) if before else None
    contact.save(update_fields=["signs", "old_until"])
    return made


def version(contact: Contact) -> str:
    """Tells one secret of a contact from the next; "" where it has none."""
    row = Credential.objects.filter(name=secret_name(contact)).first()
    return row.made_at.isoformat() if row else ""


def forget(contact: Contact) -> None:
    for name in (seal_name(contact), secret_name(contact), secret_name(contact, old=True)):
        sealed.drop(name)


def secrets_of(contact: Contact, now: datetime) -> list[str]:
    """Those that sign now, the newest first; none of a webhook that was added before there were any.

    Raise sealed.Unreadable: one that should be signed and can't be is not sent.
    """
    if not contact.signs:
        return []
    told = [sealed.unseal_or_none(secret_name(contact))]
    if contact.old_until is not None and now < contact.old_until:
        told.append(sealed.unseal_or_none(secret_name(contact, old=True)))
    found = [secret.decode() for secret in told if secret]
    if not found:
        raise sealed.Unreadable(f"The secret of {contact.name} is not there.")
    return found


def hook(delivery: Delivery, url: str, told: Message, *, now: datetime) -> Hook:
    """The message as it goes out now. Raise BadAddress, sealed.Unreadable."""
    where, extra = hooks.target(url)
    body = json.dumps(payload(delivery, told), ensure_ascii=False, separators=(",", ":"))
    signers = secrets_of(delivery.contact, now)
    signed = signed_webhook.headers(signers, id_of(delivery), int(now.timestamp()), body.encode())
    return Hook(where, body, {**extra, **signed})


def payload(delivery: Delivery, told: Message) -> dict[str, Any]:
    """{"type", "timestamp", "data"} as Standard Webhooks has it."""
    data: dict[str, Any] = {"title": told.title, "message": told.body, "tone": told.tone, "turn": delivery.turn}
    if delivery.alert is not None:
        data |= of_alert(delivery.alert)
    return {"type": f"alert.{delivery.what}", "timestamp": delivery.created_at.isoformat(), "data": data}


def of_alert(alert: Alert) -> dict[str, Any]:
    matter = about.about(alert)
    return {
        "alert": alert.pk,
        "what": about.what_of(alert),
        "severity": "critical" if about.is_critical(alert) else "warning",
        "gateways": list(matter.gateways),
        "rollout": about.rollout_of(alert),
        "since": alert.since.isoformat(),
        "ended": alert.ended_at.isoformat() if alert.ended_at else None,
        "decide": address(path(alert)),
        "acknowledge": address(told_path(alert)),
    }
