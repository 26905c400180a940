"""Just enough DER to see what a CMS signature is made of, before openssl is asked whether it holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
SEQUENCE, SET, OID, CONTEXT_0, CONTEXT_1 = 0x30, 0x31, 0x06, 0xA0, 0xA1

# fmt: off
STRONG_DIGESTS = frozenset({"2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "2.16.840.1.101.3.4.2.3"})
DIGEST_NAMES = {"1.3.14.3.2.26": "SHA1", "1.2.840.113549.2.5": "MD5", "2.16.840.1.101.3.4.2.4": "SHA224"}
STRONG_SIGNATURES = frozenset({
    "1.2.840.113549.1.1.1",  # RSA: the digest is the one named beside it
    "1.2.840.113549.1.1.10",  # RSA-PSS
    "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13",  # RSA with SHA-256, -384, -512
    "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4",  # ECDSA with SHA-256, -384, -512
    "1.3.101.112",  # Ed25519
})
# fmt: on


class Malformed(ValueError):
    """These bytes are no such structure."""


@dataclass(frozen=True)
class SignerInfo:
    """One signature: the object identifiers of its digest and its signature algorithm."""

    digest: str
    signature: str


@dataclass(frozen=True)
class Cms:
    """A SignedData; `detached` when what was signed is not inside."""

    detached: bool
    signers: Tuple[SignerInfo, ...]


def cms(data: bytes) -> Cms:
    """Read a ContentInfo with SignedData (RFC 5652, 5.1); Malformed for anything else, or bytes after it."""
    outer = _children(_only(data, SEQUENCE))
    if len(outer) != 2 or _oid(outer[0]) != SIGNED_DATA:
        raise Malformed("it is no CMS signature")
    signed = _children(_only(_inside(outer[1], CONTEXT_0), SEQUENCE))
    if len(signed) < 4:
        raise Malformed("its SignedData is too short")
    content = _children(_inside(signed[2], SEQUENCE))
    if not content or _oid(content[0]) != DATA:
        raise Malformed("it signs something that is no plain data")
    infos = _children(_inside(signed[-1], SET))
    return Cms(detached=len(content) == 1, signers=tuple(_signer(info) for info in infos))


def _signer(info: Tuple[int, bytes]) -> SignerInfo:
    """version, sid, digestAlgorithm, [0] signedAttrs?, signatureAlgorithm, signature, [1] unsignedAttrs?"""
    inside = _children(_inside(info, SEQUENCE))
    if any(tag == CONTEXT_1 for tag, _ in inside):
        raise Malformed("it carries attributes that nobody signed")
    parts = [part for part in inside if part[0] != CONTEXT_0]
    if len(parts) == 4:
        # The signer is named by his key's id, [0], which went with the attributes.
        parts.insert(1, (0x80, b""))
    if len(parts) != 5:
        raise Malformed("its SignerInfo has an unknown shape")
    return SignerInfo(digest=_algorithm(parts[2]), signature=_algorithm(parts[3]))


def _algorithm(part: Tuple[int, bytes]) -> str:
    inside = _children(_inside(part, SEQUENCE))
    if not inside:
        raise Malformed("an algorithm is missing")
    return _oid(inside[0])


def _oid(part: Tuple[int, bytes]) -> str:
    raw = _inside(part, OID)
    if not raw:
        raise Malformed("an object identifier is empty")
    numbers, value = [min(raw[0] // 40, 2)], 0
    numbers.append(raw[0] - 40 * numbers[0])
    for byte in raw[1:]:
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    return ".".join(map(str, numbers))


def _inside(part: Tuple[int, bytes], tag: int) -> bytes:
    if part[0] != tag:
        raise Malformed(f"a value of tag {part[0]:#x} stands where {tag:#x} belongs")
    return part[1]


def _only(data: bytes, tag: int) -> bytes:
    parts = _children(data)
    if len(parts) != 1:
        raise Malformed("something follows it")
    return _inside(parts[0], tag)


def _children(data: bytes) -> List[Tuple[int, bytes]]:
    parts, at = [], 0
    while at < len(data):
        if at + 2 > len(data):
            raise Malformed("it was cut short")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4:
                raise Malformed("it is no DER")
            length, at = int.from_bytes(data[at : at + octets], "big"), at + octets
        if at + length > len(data):
            raise Malformed("it was cut short")
        parts.append((tag, data[at : at + length]))
        at += length
    return parts
