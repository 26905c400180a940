"""The signature counter of passkeys: one that does not grow means that there are two of the same key."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone

from approvals import audit
from approvals.models import Actor


def grows(kept: int, said: int) -> bool:
    """Whether the counter `said` may follow `kept`. Authenticators without a counter always say 0 (WebAuthn 6.1.1)."""
    return said > kept or (said == 0 and kept == 0)


def advance(row: Any, said: int) -> bool:
    """Keep the counter; False, and a mark that keeps the key out for good, when it went back. Call it in a transaction
    with the row locked: two uses of one count must not both pass."""
    if row.data.get("copied") or not grows(int(row.data.get("counter", 0)), said):
        row.data["copied"] = True
        row.save(update_fields=["data"])
        return False
    if said != row.data.get("counter"):
        row.data["counter"] = said
        row.save(update_fields=["data"])
    return True


def tell(row: Any, said: int) -> None:
    """On the record; upgrader/calls.py calls people for as long as the mark stands."""
    name = str(row.data.get("name", ""))
    actor = Actor(kind="person", name=row.user.get_username(), user_id=row.user_id)
    told = {"passkey": name, "counter": said, "kept": int(row.data.get("counter", 0))}
    with transaction.atomic():
        audit.append("passkey.refused", subject=f"user:{row.user_id}", actor=actor, at=timezone.now(), details=told)


def copied() -> Any:
    """The keys that are kept out because there seem to be two of them; removing the key settles it."""
    return Authenticator.objects.filter(type="webauthn", data__copied=True).select_related("user").order_by("pk")
