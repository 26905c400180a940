"""OpenPGP packets as far as gpgv leaves them to us: armour, what a signature is made with, a key's fingerprint. Pure.

gpgv reads more than it should be given (inline messages, text signatures, weak digests, armour with anything around
it), so what reaches it was taken apart here first.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Iterator, List, Tuple

SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY = 2, 5, 6, 7
KEY_PACKETS = frozenset({SIGNATURE, PUBLIC_KEY, 13, 14, 17})  # 13 user id, 14 public subkey, 17 user attribute
STRONG = frozenset({8, 9, 10})  # SHA-256, SHA-384, SHA-512 (RFC 4880, 9.4)
WEAK_NAMES = {1: "MD5", 2: "SHA1", 3: "RIPEMD160", 11: "SHA224"}
BINARY = 0x00
_ARMOUR = re.compile(
    r"-----BEGIN (?P<block>PGP [A-Z ]+)-----\n(?P<headers>(?:[A-Za-z]+: [^\n]*\n)*)\n"
    r"(?P<body>(?:[A-Za-z0-9+/]{1,76}\n)*[A-Za-z0-9+/]{1,76}={0,2}\n)"
    r"(?:=(?P<crc>[A-Za-z0-9+/]{4})\n)?-----END (?P=block)-----\n"
)


class Malformed(ValueError):
    """These bytes are not what they are said to be."""


@dataclass(frozen=True)
class Made:
    """How a signature was made: its type (0 is over exact bytes) and digest algorithm (RFC 4880, 9.4)."""

    kind: int
    digest: int
    packet: bytes


def signatures(text: str) -> List[Made]:
    """The signatures of a detached signature file; Malformed when there is anything else in it."""
    data = dearmoured(text, "PGP SIGNATURE", headers=False)
    made = []
    for tag, body, whole in packets(data):
        if tag != SIGNATURE:
            raise Malformed("it holds something that is no signature")
        if len(body) < 4 or body[0] != 4:
            raise Malformed("its signature is not of version 4")
        made.append(Made(kind=body[1], digest=body[3], packet=whole))
    if not made:
        raise Malformed("it holds no signature")
    return made


def public_key(text: str) -> Tuple[str, bytes]:
    """(primary fingerprint, binary key) of one armoured public key."""
    data = dearmoured(text, "PGP PUBLIC KEY BLOCK", headers=True)
    primaries = []
    for tag, body, _ in packets(data):
        if tag in (SECRET_KEY, SECRET_SUBKEY):
            raise Malformed("it is a private key")
        if tag not in KEY_PACKETS:
            raise Malformed("it holds something that belongs to no key")
        if tag == PUBLIC_KEY:
            primaries.append(fingerprint(body))
    if len(primaries) != 1:
        raise Malformed(f"it holds {len(primaries)} keys, not one")
    return primaries[0], data


def fingerprint(body: bytes) -> str:
    """Upper-case hex; RFC 4880, 12.2. gpgv reads version 4 only."""
    if not body or body[0] != 4:
        raise Malformed("its key is not of version 4")
    # SHA-1 is the format's own; who is trusted is compared by this name everywhere.
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()


def dearmoured(text: str, block: str, *, headers: bool) -> bytes:
    """The bytes inside the armour, with nothing around it and its checksum right."""
    found = _ARMOUR.fullmatch(text)
    if found is None or found["block"] != block or (found["headers"] and not headers):
        raise Malformed(f"it is no armoured {block}, or has text around it that nobody signed")
    try:
        data = base64.b64decode(found["body"].replace("\n", ""), validate=True)
    except binascii.Error:
        raise Malformed("its text is no base64") from None
    if base64.b64encode(data).decode() != found["body"].replace("\n", ""):
        raise Malformed("its text is no base64")
    if found["crc"] and base64.b64decode(found["crc"]) != crc24(data):
        raise Malformed("its checksum does not fit")
    return data


def crc24(data: bytes) -> bytes:
    """The checksum of RFC 4880, 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return (crc & 0xFFFFFF).to_bytes(3, "big")


def packets(data: bytes) -> Iterator[Tuple[int, bytes, bytes]]:
    """(tag, body, whole packet) of each packet; Malformed for partial and open lengths: nobody needs them here."""
    at = 0
    while at < len(data):
        if not data[at] & 0x80:
            raise Malformed("it is damaged")
        tag, start, length = _header(data, at)
        end = start + length
        if end > len(data):
            raise Malformed("it was cut short")
        yield tag, data[start:end], data[at:end]
        at = end


def _header(data: bytes, at: int) -> Tuple[int, int, int]:
    """(tag, where the body starts, its length); RFC 4880, 4.2."""
    first = data[at]
    if first & 0x40:
        start, length = _new_length(data, at + 1)
        return first & 0x3F, start, length
    octets = {0: 1, 1: 2, 2: 4}.get(first & 3)
    if octets is None or at + 1 + octets > len(data):
        raise Malformed("it has a packet of unknown length")
    return (first >> 2) & 0x0F, at + 1 + octets, int.from_bytes(data[at + 1 : at + 1 + octets], "big")


def _new_length(data: bytes, at: int) -> Tuple[int, int]:
    rest = data[at : at + 5]
    if rest and rest[0] < 192:
        return at + 1, rest[0]
    if len(rest) >= 2 and rest[0] < 224:
        return at + 2, ((rest[0] - 192) << 8) + rest[1] + 192
    if len(rest) == 5 and rest[0] == 255:
        return at + 5, int.from_bytes(rest[1:], "big")
    raise Malformed("it has a packet of unknown length")
