"""Whose a message is: by a token, or by a signature with a secret that is sealed. Two are good while one is changed."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from approvals import signed_webhook
from approvals.signed_webhook import Unsigned
from fleet import sealed
from fleet.models import Credential, TicketMessage, TicketSource

HOURS = (0, 24, 168)  # that the token or secret before is good, too
KEPT = timedelta(days=90)  # that a signed message is known again; by age one is refused after minutes where it has one
WRONG = "The token is not one of this system's."
SHUT = "This system's secret can't be opened here: tell who runs this dashboard."


@dataclass(frozen=True)
class Proven:
    """`message`: what tells a signed message from all others; "" for one that came with a token."""

    source: TicketSource
    message: str = ""
    by_old: bool = False

    @property
    def was_taken(self) -> bool:
        """Whether it is a copy of one that was taken."""
        return bool(self.message) and TicketMessage.objects.filter(source=self.source, message_id=self.message).exists()


def proven(name: str, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Proven:
    """Raise Unsigned with the sentence why it is nobody's. `headers`: named in small letters."""
    source = TicketSource.objects.filter(name=name, ended_at=None).select_related("pool").first()
    if source is None or source.proof == TicketSource.Proof.TOKEN:
        return _by_token(source, headers, now)
    try:
        keys = secrets_of(source, now)
    except sealed.Unreadable:
        raise Unsigned(SHUT) from None
    if source.proof == TicketSource.Proof.HUB:
        signed = signed_webhook.verify_hub(keys, headers, body)
    else:
        signed = signed_webhook.verify(keys, headers, body, now=now.timestamp())
    return Proven(source, signed.id, signed.by > 0)


def _by_token(source: TicketSource | None, headers: Mapping[str, str], now: datetime) -> Proven:
    """Takes as long for a wrong name as for a wrong token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = hashed(token.strip() if scheme.lower() == "bearer" else "")
    right = compare_digest(given, source.token_sha256 if source else hashed(""))
    before = source.old_sha256 if source and in_time(source, now) else ""
    old = compare_digest(given, before or hashed(""))
    if source is None or not (right or old) or given == hashed(""):
        raise Unsigned(WRONG)
    return Proven(source, by_old=old and not right)


def in_time(source: TicketSource, now: datetime) -> bool:
    """Whether the token or secret before is good still."""
    return source.old_until is not None and now < source.old_until


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def secret_name(source: TicketSource, *, old: bool = False) -> str:
    return f"ticket-source:{source.pk}:{'old-secret' if old else 'secret'}"


def secrets_of(source: TicketSource, now: datetime) -> list[str]:
    """Those that are good now, the newest first. sealed.Unreadable where one can't be opened."""
    names = [secret_name(source), *([secret_name(source, old=True)] if in_time(source, now) else [])]
    return [secret.decode() for name in names if (secret := sealed.unseal_or_none(name))]


def made(proof: str) -> str:
    """A new token or secret of this kind."""
    if proof == TicketSource.Proof.STANDARD:
        return signed_webhook.secret_of(secrets.token_bytes(signed_webhook.KEY_BYTES))
    return f"handover-noc-{secrets.token_urlsafe(32)}"


def version(source: TicketSource) -> str:
    """Tells one token or secret of a system from the next."""
    if source.proof == TicketSource.Proof.TOKEN:
        return source.token_sha256[:16]
    row = Credential.objects.filter(name=secret_name(source)).first()
    return row.made_at.isoformat() if row else ""
