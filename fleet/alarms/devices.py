"""Browsers that take alerts: a contact of kind push, which belongs to a person. Writes those contacts.

A browser is told only of what its person may look at, and turning it on needs no other right.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from datetime import datetime
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet import sealed
from fleet.alarms import signing, webpush
from fleet.alarms.addresses import BadAddress, hint
from fleet.alarms.hooks import Hook
from fleet.alarms.message import Message, path
from fleet.models import Contact, Credential, Delivery

KIND = webpush.SCHEME
KEY = "web-push"  # of the sealed key that all browsers are told
BODY_MOST = 900  # letters that a phone shows before it cuts
KEEP_SECONDS = 4 * 3600  # for a phone that is off
NOBODY = "mailto:handover@localhost"


def of(user: User) -> QuerySet[Contact]:
    """The browsers of a person that take alerts."""
    return Contact.objects.filter(kind=KIND, person=user, retired_at=None)


def key(*, now: datetime) -> ec.EllipticCurvePrivateKey:
    """The key by which push services know us, made once."""
    try:
        pem = sealed.unseal(KEY)
    except Credential.DoesNotExist:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        sealed.seal(KEY, pem, now=now)
    return cast("ec.EllipticCurvePrivateKey", load_pem_private_key(pem, password=None))


def public_key(*, now: datetime) -> str:
    """What a browser wants as applicationServerKey."""
    return webpush.coded(webpush.point(key(now=now).public_key()))


def turn_on(said: str, name: str, *, severity: str, by: User, actor: Actor, now: datetime) -> Contact:
    """Let this browser take alerts from now on, a test first; one that does already is the same one. Raise Refused."""
    name = " ".join(name.split())[:60]
    if not name or not name.isprintable() or severity not in Contact.Severity.values:
        raise Refused("Give this browser a name, and say whether it gets everything or only what is critical.")
    try:
        to = webpush.told(said)
        shown = hint(to.address)
    except BadAddress as wrong:
        raise Refused(wrong.say) from None
    with transaction.atomic():
        for row in of(by):
            if sealed.unseal_or_none(signing.seal_name(row)) == to.address.encode():
                Contact.objects.filter(pk=row.pk).update(severity=severity)
                row.refresh_from_db()
                _try(row, now=now)
                return row
        row = _made(name, shown, severity, by=by, now=now)
        sealed.seal(signing.seal_name(row), to.address.encode(), now=now)
        about = {"name": row.name, "kind": KIND, "hint": shown, "severity": severity, "person": by.username}
        _try(row, now=now)
        audit.append("contact.added", subject=f"contact:{row.pk}", actor=actor, at=now, details=about)
        return row


def _try(row: Contact, *, now: datetime) -> None:
    row.deliveries.create(what=Delivery.What.TEST, due_at=now, created_at=now)


def _made(name: str, shown: str, severity: str, *, by: User, now: datetime) -> Contact:
    said = {"kind": KIND, "person": by, "severity": severity, "hint": shown, "made_by": by, "made_at": now}
    try:
        with transaction.atomic():
            return Contact.objects.create(name=f"{by.username}: {name}"[:60], **said)
    except IntegrityError:
        raise Refused(f"A browser of yours is called {name} already. Take another name.") from None


def turn_off(contact: Contact, *, actor: Actor, why: str = "", now: datetime) -> None:
    """Tell it nothing more, and forget its address; nothing the second time."""
    with transaction.atomic():
        if not Contact.objects.filter(pk=contact.pk, kind=KIND, retired_at=None).update(retired_at=now):
            return
        signing.forget(contact)
        about = {"name": contact.name}
        audit.append("contact.retired", subject=f"contact:{contact.pk}", actor=actor, at=now, reason=why, details=about)


def hook(delivery: Delivery, address: str, told: Message, *, now: datetime) -> Hook:
    """The message as it goes to the push service. Raise BadAddress, sealed.Unreadable."""
    to = webpush.kept(address)
    plain = json.dumps(payload(delivery, told), ensure_ascii=False).encode()[: webpush.PLAIN_MOST]
    body = webpush.sealed(plain, to, ours=ec.generate_private_key(ec.SECP256R1()), salt=os.urandom(webpush.SALT))
    return Hook(to.endpoint, "", _headers(delivery, told, to, now=now), raw=b64encode(body).decode())


def _headers(delivery: Delivery, told: Message, to: webpush.Subscription, *, now: datetime) -> dict[str, str]:
    contact = settings.PUBLIC_URL if settings.PUBLIC_URL.startswith("https://") else NOBODY
    return {
        "Authorization": webpush.word(to, key=key(now=now), contact=contact, now=int(now.timestamp())),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(KEEP_SECONDS),
        "Urgency": "high" if told.tone == "failure" else "normal",
        # A later message about the same alert takes the place of one that still waits for the phone.
        "Topic": f"alert-{delivery.alert_id or 0}",
    }


def payload(delivery: Delivery, told: Message) -> dict[str, str]:
    """What the page's worker shows (static/js/worker.js)."""
    where = path(delivery.alert) if delivery.alert is not None else "/alerts/device/"
    return {"title": told.title, "body": told.body[:BODY_MOST], "url": where, "tag": f"alert-{delivery.alert_id or 0}"}
