"""Secrets of rows of their own, sealed as approvals/sealing.py says: each is bound to its name, so a ciphertext that is
moved to another row opens nowhere.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

from django.utils import timezone

from approvals import sealing
from approvals.sealing import Unreadable as Unreadable
from fleet.models import Credential

BATCH = 100  # rows that are read at once


def seal(name: str, secret: bytes, *, now: datetime | None = None) -> None:
    """Keep a secret under `name`, in place of an earlier one."""
    key_id = sealing.present_key()
    sealed = _seal(name, secret)
    Credential.objects.update_or_create(
        name=name, defaults={"sealed": sealed, "key_id": key_id, "made_at": now or timezone.now()}
    )


def unseal(name: str) -> bytes:
    """Return the secret. Credential.DoesNotExist when there is none, Unreadable when it can't be opened."""
    return _unseal(Credential.objects.get(name=name))


def unseal_or_none(name: str) -> bytes | None:
    """Return the secret, or None when there is none. Unreadable when there is one that can't be opened."""
    row = Credential.objects.filter(name=name).first()
    return None if row is None else _unseal(row)


def rotate() -> Generator[str]:
    """Seal anew what an old key sealed, row by row; yields the name of each as soon as it is stored.

    Put the new key into HANDOVER_SEALING_KEY and the old one into HANDOVER_SEALING_KEYS_OLD before. May run beside
    everything else, be broken off anywhere, and be run again: each row is sealed with one key or the other. Unreadable
    at the end when some rows need a key that is not configured; all others are done by then.
    """
    key_id = sealing.present_key()
    shut: list[Credential] = []
    after = 0
    while rows := list(Credential.objects.exclude(key_id=key_id).filter(pk__gt=after).order_by("pk")[:BATCH]):
        for row in rows:
            try:
                sealed = _seal(row.name, _unseal(row))
            except Unreadable:
                shut.append(row)
                continue
            # Only if nobody sealed another secret meanwhile: then that one is found the next time.
            same = Credential.objects.filter(pk=row.pk, key_id=row.key_id, sealed=row.sealed)
            if same.update(sealed=sealed, key_id=key_id):
                yield row.name
        after = rows[-1].pk
    if shut:
        names = ", ".join(sorted({f"{row.name} (key {row.key_id})" for row in shut})[:5])
        raise Unreadable(
            f"{len(shut)} credentials can't be opened: {names}. Put the key that sealed them into"
            " HANDOVER_SEALING_KEYS_OLD and run this again."
        )


def waiting() -> int:
    """How many rows are not sealed with the present key yet."""
    return Credential.objects.exclude(key_id=sealing.present_key()).count()


def drop(name: str) -> bool:
    """Forget a secret; True when there was one."""
    return bool(Credential.objects.filter(name=name).delete()[0])


def _seal(name: str, secret: bytes) -> bytes:
    return sealing.seal(_about(name), secret)


def _unseal(row: Credential) -> bytes:
    try:
        return sealing.unseal(_about(row.name), bytes(row.sealed), row.key_id)
    except Unreadable as why:
        raise Unreadable(f"Credential {row.name} {why}") from None


def _about(name: str) -> str:
    return f"{Credential._meta.db_table}|{name}"
