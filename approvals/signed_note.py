"""Checkpoints as signed notes: C2SP signed-note, tlog-checkpoint, and the time by tlog-cosignature. No Django.

    handover/4f2a90c1          the record's name
    1204                       how many events
    nND/nri/U0xuHUrYSy0H…      root, base64

    — handover/4f2a90c1 …      Ed25519 over the text above
    — handover/4f2a90c1 …      Ed25519 over the same with the time, "cosignature/v1"

The key is written as C2SP writes verifier keys: "NAME+HASH+BASE64".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    CAN_VERIFY = True
except ImportError:  # an auditor's bare Python: a chain is verified without it
    CAN_VERIFY = False

_ED25519, _COSIGNATURE = 1, 4  # signature types of C2SP signed-note
_DASH = "\N{EM DASH}"


class Bad(Exception):
    """A note or a key is not what it has to be; the text says what is wrong."""


@dataclass(frozen=True)
class Key:
    """A public key by the name of the record that it signs for."""

    name: str
    public: bytes  # 32 bytes

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read "NAME+HASH+BASE64"; Bad says what is wrong with it."""
        name, _, rest = text.strip().partition("+")
        digest, _, encoded = rest.partition("+")
        raw = _bytes(encoded)
        if not re.fullmatch(r"[^\s+]+", name) or len(raw) != 33 or raw[0] != _ED25519:
            raise Bad(f"{text.strip()!r} is no key of a record. It looks like handover/4f2a90c1+1b2c3d4e+AQ…")
        key = cls(name, raw[1:])
        if key.id.hex() != digest:
            raise Bad(f"{text.strip()!r} is cut or mistyped: its check digits should be {key.id.hex()}")
        return key

    @property
    def id(self) -> bytes:
        return self._id(_ED25519)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([_ED25519]) + self.public).decode()}"

    def _id(self, kind: int) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([kind]) + self.public).digest()[:4]


@dataclass(frozen=True)
class Signed:
    """What a checkpoint says, once its signatures were found good."""

    origin: str
    size: int
    root: bytes
    at: datetime
    key: Key


@dataclass(frozen=True)
class Signer:
    """The private half, under the name of one record."""

    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> Key:
        return Key(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, size: int, root: bytes, *, at: datetime) -> str:
        """Return the note for a tree of `size` leaves, signed at a whole second."""
        text = f"{self.name}\n{size}\n{base64.b64encode(root).decode()}\n"
        second = int(at.timestamp())
        plain = self.private.sign(text.encode())
        timed = struct.pack(">Q", second) + self.private.sign(_timed(text, second))
        signatures = ((_ED25519, plain), (_COSIGNATURE, timed))
        lines = (base64.b64encode(self.key._id(kind) + signature).decode() for kind, signature in signatures)
        return text + "\n" + "".join(f"{_DASH} {self.name} {line}\n" for line in lines)


def read(note: str) -> tuple[str, int, bytes]:
    """Return a note's origin, size and root without a look at its signatures. Bad when it is no checkpoint."""
    text, blank, _ = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,17}", lines[1]) or len(_bytes(lines[2])) != 32:
        raise Bad("This is no checkpoint: it has no origin, size, root and signature")
    return lines[0], int(lines[1]), _bytes(lines[2])


def verify(note: str, keys: list[Key]) -> Signed:
    """Return what a checkpoint says. Bad when none of the keys signed it, both its text and its time."""
    origin, size, root = read(note)
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    found = [raw for line in signatures.splitlines() if (raw := _signature(line, origin))]
    for key in keys:
        at = _signed_at(text, found, key) if key.name == origin else None
        if at is not None:
            return Signed(origin, size, root, datetime.fromtimestamp(at, UTC), key)
    raise Bad(f"the checkpoint of {size} events is not signed by a key that you trust")


def _signed_at(text: str, found: list[bytes], key: Key) -> int | None:
    """The time that the key signed, when it signed the text too."""
    public, plain, at = Ed25519PublicKey.from_public_bytes(key.public), False, None
    try:
        for raw in found:
            if raw[:4] == key._id(_ED25519):
                public.verify(raw[4:], text.encode())
                plain = True
            elif raw[:4] == key._id(_COSIGNATURE) and len(raw) == 76:
                second = struct.unpack(">Q", raw[4:12])[0]
                public.verify(raw[12:], _timed(text, second))
                at = second
    except InvalidSignature:
        return None
    return at if plain else None


def _timed(text: str, second: int) -> bytes:
    return f"cosignature/v1\ntime {second}\n{text}".encode()


def _signature(line: str, name: str) -> bytes:
    mark, _, encoded = line.rpartition(" ")
    return _bytes(encoded) if mark == f"{_DASH} {name}" else b""


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
