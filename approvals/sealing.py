"""Sealing of what must not be read at rest: AES-256-GCM with a data key of its own, wrapped by settings.SEALING_KEY.

Layout: version (1 byte) · nonce (12) and wrapped data key (48) · nonce (12) and ciphertext. Its place, key id and
version are associated data of both, so what is sealed for one place opens in no other.
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

VERSION = 1
_NONCE = 12  # bytes: 96 bits, as NIST SP 800-38D wants it
_WRAPPED = 32 + 16  # data key and tag


class Unreadable(Exception):
    """What is sealed can't be opened: its key is not among ours, or it was sealed for another place."""


def present_key() -> str:
    """The id of the key that seals now."""
    return key_id(settings.SEALING_KEY)


def seal(about: str, secret: bytes) -> bytes:
    """Seal with the present key. `about` names the place, "table|row", and is needed to open it again."""
    name = present_key()
    bound = _bound(about, name, VERSION)
    data_key = AESGCM.generate_key(bit_length=256)
    wrap_nonce, nonce = secrets.token_bytes(_NONCE), secrets.token_bytes(_NONCE)
    wrapped = AESGCM(_wrapping_keys()[name]).encrypt(wrap_nonce, data_key, bound)
    return bytes([VERSION]) + wrap_nonce + wrapped + nonce + AESGCM(data_key).encrypt(nonce, secret, bound)


def unseal(about: str, sealed: bytes, name: str) -> bytes:
    """Open what the key with the id `name` sealed for this place. Unreadable when that can't be."""
    key = _wrapping_keys().get(name)
    if key is None:
        raise Unreadable(f"was sealed with key {name}, which is not configured.")
    bound = _bound(about, name, sealed[0] if sealed else 0)
    body = sealed[1 + _NONCE + _WRAPPED :]
    try:
        data_key = AESGCM(key).decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : 1 + _NONCE + _WRAPPED], bound)
        return AESGCM(data_key).decrypt(body[:_NONCE], body[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise Unreadable("is not what was sealed in this row.") from None


def key_id(text: str) -> str:
    """What a configured key is called in rows; it tells nothing of the key."""
    return hashlib.sha256(b"handover key id v1|" + _derived(text)).hexdigest()[:16]


def _bound(about: str, name: str, version: int) -> bytes:
    return f"{about}|{name}|{version}".encode()


def _wrapping_keys() -> dict[str, bytes]:
    """Key id → key, the present one and those that are still good for opening."""
    return {key_id(text): _derived(text) for text in (settings.SEALING_KEY, *settings.SEALING_KEYS_OLD)}


def _derived(text: str) -> bytes:
    # The configured key is long and random, so one step of HKDF does; a password would need more.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"handover sealing v1").derive(text.encode())
