"""The secrets of second factors in allauth's rows, sealed: of code apps the secret, of recovery codes the seed.

allauth hands over the text alone, so the seal is bound to its table and not to one row.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Generator
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction

from approvals import sealing

ABOUT = "mfa_authenticator"
FIELDS = {"totp": "secret", "recovery_codes": "seed"}


def seal(text: str) -> str:
    """ "<key id>.<base64>" """
    return f"{sealing.present_key()}.{b64encode(sealing.seal(ABOUT, text.encode())).decode()}"


def unseal(sealed: str) -> str:
    """The secret. Unreadable when it can't be opened, or never was sealed."""
    name, _, body = sealed.partition(".")
    try:
        return sealing.unseal(ABOUT, b64decode(body, validate=True), name).decode()
    except ValueError:
        raise sealing.Unreadable("is not what was sealed in this row.") from None
    except sealing.Unreadable as why:
        raise sealing.Unreadable(f"A second factor's secret {why}") from None


def rotate() -> Generator[str]:
    """Seal anew what an old key sealed; yields a name for each as soon as it is stored. Unreadable at the first that
    needs a key which is not configured."""
    for row_id in [row.pk for row in _rows() if _old(row)]:
        with transaction.atomic():
            # Somebody may use a recovery code meanwhile: the lock keeps both changes.
            row = Authenticator.objects.select_for_update().filter(pk=row_id).first()
            if row is None or not _old(row):
                continue
            field = FIELDS[row.type]
            row.data[field] = seal(unseal(row.data[field]))
            row.save(update_fields=["data"])
        yield f"second factor {row_id}"


def waiting() -> int:
    """How many are not sealed with the present key yet."""
    return sum(map(_old, _rows()))


def _rows() -> Any:
    return Authenticator.objects.filter(type__in=FIELDS).order_by("pk")


def _old(row: Any) -> bool:
    return not str(row.data.get(FIELDS[row.type], "")).startswith(sealing.present_key() + ".")
