"""Passkeys that seem to be copied call people until they are removed (approvals/passkeys.py keeps them out)."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from approvals import passkeys
from fleet.alerts import Call

KIND = "passkey"


def standing() -> Iterator[Call]:
    """One call for each such key."""
    for row in passkeys.copied():
        who, key = row.user.get_username(), row.data.get("name", "")
        say = (
            f"The passkey “{key}” of {who} was used by two: its counter went back. It is refused."
            f" {who} should remove it and say when it was last used."
        )
        yield Call(KIND, f"passkey:{row.pk}", who, say, reverse("accounts"), pool=None)
