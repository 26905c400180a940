"""Secrets at rest: AES-256-GCM, a data key of its own for each row, wrapped by the key from settings.SEALING_KEY.

Layout of Credential.sealed: version (1 byte) · nonce (12) and wrapped data key (48) · nonce (12) and ciphertext. Table,
name, key id and version are associated data of both, so a ciphertext that is moved to another row opens nowhere.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Generator
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils import timezone

from fleet.models import Credential

VERSION = 1
BATCH = 100  # rows that are read at once
_NONCE = 12  # bytes: 96 bits, as NIST SP 800-38D wants it
_WRAPPED = 32 + 16  # data key and tag


class Unreadable(Exception):
    """A credential can't be opened: its key is not among ours, or its row is not the one that was sealed."""


def seal(name: str, secret: bytes, *, now: datetime | None = None) -> None:
    """Keep a secret under `name`, in place of an earlier one."""
    key_id = _key_id(settings.SEALING_KEY)
    sealed = _seal(name, secret, key_id)
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
    key_id = _key_id(settings.SEALING_KEY)
    shut: list[Credential] = []
    after = 0
    while rows := list(Credential.objects.exclude(key_id=key_id).filter(pk__gt=after).order_by("pk")[:BATCH]):
        for row in rows:
            try:
                sealed = _seal(row.name, _unseal(row), key_id)
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
    return Credential.objects.exclude(key_id=_key_id(settings.SEALING_KEY)).count()


def drop(name: str) -> bool:
    """Forget a secret; True when there was one."""
    return bool(Credential.objects.filter(name=name).delete()[0])


def _seal(name: str, secret: bytes, key_id: str) -> bytes:
    about = _about(name, key_id, VERSION)
    data_key = AESGCM.generate_key(bit_length=256)
    wrap_nonce, nonce = secrets.token_bytes(_NONCE), secrets.token_bytes(_NONCE)
    wrapped = AESGCM(_wrapping_keys()[key_id]).encrypt(wrap_nonce, data_key, about)
    return bytes([VERSION]) + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, secret, about)


def _unseal(row: Credential) -> bytes:
    sealed = bytes(row.sealed)
    key = _wrapping_keys().get(row.key_id)
    if key is None:
        raise Unreadable(f"Credential {row.name} was sealed with key {row.key_id}, which is not configured.")
    about = _about(row.name, row.key_id, sealed[0] if sealed else 0)
    body = sealed[1 + _NONCE + _WRAPPED :]
    try:
        data_key = AESGCM(key).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : 1 + _NONCE + _WRAPPED], about)
        return AESGCM(data_key).decrypt(body[:_NONCE], body[_NONCE:], about)
    except (InvalidTag, ValueError):
        raise Unreadable(f"Credential {row.name} is not what was sealed in this row.") from None


def _about(name: str, key_id: str, version: int) -> bytes:
    return f"{Credential._meta.db_table}|{name}|{key_id}|{version}".encode()


def _wrapping_keys() -> dict[str, bytes]:
    """Key id → key, the present one and those that are still good for opening."""
    return {_key_id(text): _derived(text) for text in (settings.SEALING_KEY, *settings.SEALING_KEYS_OLD)}


def _derived(text: str) -> bytes:
    # The configured key is long and random, so one step of HKDF does; a password would need more.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"handover sealing v1").derive(text.encode())


def _key_id(text: str) -> str:
    return hashlib.sha256(b"handover key id v1|" + _derived(text)).hexdigest()[:16]
