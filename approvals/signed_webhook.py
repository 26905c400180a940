"""Webhooks that are signed: Standard Webhooks 1.0 (standardwebhooks.com), and GitHub's X-Hub-Signature-256. Pure.

What is signed is `ID.SECONDS.BODY` by HMAC-SHA256. A secret is "whsec_" and base64 of 24 to 64 bytes. A header has one
or more signatures with spaces between: while a secret is changed for another, both sign, and either is enough.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "whsec_"
KEY_BYTES = 32
SHORTEST, LONGEST = 24, 64  # bytes of a key, as the specification wants them
TOLERANCE = 300  # seconds that a message may be old, or ahead of our clock
ID, AT, SIGNATURE, HUB = "webhook-id", "webhook-timestamp", "webhook-signature", "x-hub-signature-256"
ID_MOST = 200
SIGNATURES_MOST = 10


class Unsigned(Exception):
    """A message is not what somebody with the secret sent just now; `say` is the sentence why."""

    def __init__(self, say: str) -> None:
        super().__init__(say)
        self.say = say


@dataclass(frozen=True)
class Signed:
    """`id` tells this message from all others of its sender; `by`: which of the secrets it was signed with."""

    id: str
    by: int


def secret_of(key: bytes) -> str:
    """A secret as both sides write it. `key`: KEY_BYTES random bytes."""
    return PREFIX + b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret. ValueError where it is none, or is too short to be one."""
    text = secret.strip()
    try:
        key = b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
    except ValueError:
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"A secret is {PREFIX} and base64 of {SHORTEST} to {LONGEST} bytes.")
    return key


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """One signature, "v1,BASE64". `at`: epoch seconds of this try. ValueError for a secret that is none."""
    content = f"{message_id}.{at}.".encode() + body
    return "v1," + b64encode(hmac.digest(key_of(secret), content, hashlib.sha256)).decode()


def headers(secrets: Iterable[str], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The three headers of a message, signed with each secret. `message_id` has no dot: it ends at the first one."""
    if not _good_id(message_id):
        raise ValueError(f"“{message_id}” can't name a message.")
    signatures = " ".join(sign(secret, message_id, at, body) for secret in secrets)
    return {ID: message_id, AT: str(at), **({SIGNATURE: signatures} if signatures else {})}


def verify(secrets: Iterable[str], told: Mapping[str, str], body: bytes, *, now: float) -> Signed:
    """Whose it is and which message. `told`: headers, named in small letters. Raise Unsigned.

    Whether its id was there before is for the caller to know: he keeps ids for at least twice TOLERANCE.
    """
    message_id, at, signatures = (told.get(name, "").strip() for name in (ID, AT, SIGNATURE))
    if not (message_id and at and signatures):
        raise Unsigned(f"A signed message has the headers {ID}, {AT} and {SIGNATURE}.")
    if not _good_id(message_id):
        raise Unsigned(f"{ID} has at most {ID_MOST} printable characters, and no dot or space.")
    if not (at.isascii() and at.isdigit() and len(at) <= 12):
        raise Unsigned(f"{AT} is a whole number of epoch seconds.")
    found = _signer(secrets, message_id, int(at), body, signatures=signatures)
    if found is None:
        raise Unsigned("The signature is by none of this sender's secrets.")
    if abs(now - int(at)) > TOLERANCE:
        late = f"{abs(now - int(at)):,.0f} s {'old' if now > int(at) else 'ahead of our clock'}"
        raise Unsigned(f"The message is {late}; at most {TOLERANCE} s are taken.")
    return Signed(message_id, found)


def verify_hub(secrets: Iterable[str], told: Mapping[str, str], body: bytes) -> Signed:
    """The same for X-Hub-Signature-256: the secret's text is the key, and nothing but the body is signed.

    So a message has no age, and its id is what was signed itself. Raise Unsigned.
    """
    method, _, digest = told.get(HUB, "").strip().partition("=")
    if method != "sha256" or not digest:
        raise Unsigned("A signed message has the header X-Hub-Signature-256 with “sha256=” and 64 hexadecimal digits.")
    found = None
    for number, secret in enumerate(secrets):
        ours = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
        if secret and hmac.compare_digest(ours.encode(), digest.lower().encode()) and found is None:
            found = number
    if found is None:
        raise Unsigned("The signature is by none of this sender's secrets.")
    return Signed(f"sha256-{hashlib.sha256(body).hexdigest()}", found)


def _signer(secrets: Iterable[str], message_id: str, at: int, body: bytes, *, signatures: str) -> int | None:
    """The number of the secret of one of the signatures. All are compared: the time taken says nothing."""
    given = [one.encode() for one in signatures.split()[:SIGNATURES_MOST]]
    found = None
    for number, secret in enumerate(secrets):
        ours = sign(secret, message_id, at, body).encode()
        if any([hmac.compare_digest(ours, one) for one in given]) and found is None:
            found = number
    return found


def _good_id(message_id: str) -> bool:
    plain = message_id.isascii() and message_id.isprintable() and not set(message_id) & set(". ")
    return bool(message_id) and plain and len(message_id) <= ID_MOST
