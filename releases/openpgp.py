"""Detached OpenPGP signatures (.asc). Pure: bytes and keys in, who signed out, Refused otherwise.

Verified by Sequoia over the exact bytes (it refuses SHA-1, revoked keys and bad bindings). Sequoia is content with any
one good signature and with a key that has expired since; we are not: every signature in a file must be good, by a
trusted signer whose key is good today.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from pysequoia import Cert, Sig, verify
from pysequoia.packet import HashAlgorithm, PacketPile, SignatureType, Tag

from approvals.errors import Refused
from fleet.ocgate.openpgp import crc24
from releases.signatures import Signed, Signer

_STRONG = (HashAlgorithm.SHA256, HashAlgorithm.SHA384, HashAlgorithm.SHA512)
_ARMOUR = re.compile(
    r"-----BEGIN PGP SIGNATURE-----\n\n"
    r"(?P<body>(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n)"
    r"(?:=(?P<crc>[A-Za-z0-9+/]{4})\n)?"
    r"-----END PGP SIGNATURE-----\n"
)


def verified(name: str, data: bytes, sums: bytes, *, signers: Sequence[Signer], now: datetime) -> list[Signed]:
    """Return who signed `sums` in this file, one entry a signature. Refused unless every one of them is good."""
    known, good = _keys(signers), []
    for signature in _signatures(name, data):
        signer = _signer(name, signature, known)
        _check(name, signature, sums=sums, signer=signer, now=now)
        if (made := signature.created) is None:  # Sequoia has refused it already, as it has a time to come
            raise Refused(f"{name} does not say when {signer.label} signed.")
        good.append(Signed(name, signer.fingerprint, signer.fingerprint, signer.group, made))
    return good


def public_key(armoured: str, *, now: datetime) -> tuple[str, str]:
    """Read one public key; return (fingerprint in upper-case hex, the key armoured anew). Refused if unusable."""
    try:
        certs = Cert.split_bytes(armoured.encode())
    except Exception:  # noqa: BLE001 - pysequoia raises bare RuntimeErrors with a stack trace for a text
        certs = []
    if len(certs) != 1:
        raise Refused(f"This is not one OpenPGP public key but {len(certs)}. Export it with: gpg --armor --export KEY")
    cert = certs[0]
    if any(packet.tag in (Tag.SecretKey, Tag.SecretSubkey) for packet in PacketPile.from_bytes(armoured.encode())):
        raise Refused("This is a private key. Keep it away from here; give the public one: gpg --armor --export KEY")
    fingerprint = cert.fingerprint.upper()
    if why := _unusable(cert, now):
        raise Refused(f"The key {fingerprint} {why}.")
    return fingerprint, str(cert)


def fingerprint(armoured: str) -> str:
    """The primary fingerprint of a key that was read before, upper-case hex."""
    return str(Cert.from_bytes(armoured.encode()).fingerprint).upper()


def expires(armoured: str) -> datetime | None:
    """When a key that was read before expires; None is never."""
    return Cert.from_bytes(armoured.encode()).expiration


def renewed(old: str, new: str) -> str:
    """Return `old` with all that `new` knows of the same key, armoured; a revocation once seen stays."""
    return str(Cert.from_bytes(old.encode()).merge(Cert.from_bytes(new.encode())))


def _keys(signers: Sequence[Signer]) -> dict[str, Signer]:
    """Return the signers by the fingerprints and key ids of all their keys, subkeys too."""
    known: dict[str, Signer] = {}
    for signer in signers:
        for packet in PacketPile.from_bytes(signer.public_key.encode()):
            if packet.tag in (Tag.PublicKey, Tag.PublicSubkey) and packet.fingerprint:
                known[packet.fingerprint.upper()] = signer
                known[packet.fingerprint.upper()[-16:]] = signer  # a v4 key id: the end of the fingerprint
    return known


def _signatures(name: str, data: bytes) -> list[Sig]:
    """Split a signature file; its packets are signatures and nothing else."""
    try:
        packets = list(PacketPile.from_bytes(_dearmoured(name, data)))
    except RuntimeError:
        packets = []
    if not packets or any(packet.tag != Tag.Signature for packet in packets):
        raise Refused(f"{name} is no detached OpenPGP signature.")
    return [Sig.from_bytes(bytes(packet)) for packet in packets]


def _dearmoured(name: str, data: bytes) -> bytes:
    """Undo the armour. No header lines, no text around: nothing that no signature covers comes in with a release."""
    found = _ARMOUR.fullmatch(data.decode("ascii", errors="replace"))
    if not found:
        raise Refused(f"{name} is no armoured OpenPGP signature, or has text around it that nobody signed.")
    body = found["body"].replace("\n", "")
    try:
        raw = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Refused(f"{name} is damaged: its text is no base64.")
    if base64.b64encode(raw).decode() != body or (found["crc"] and base64.b64decode(found["crc"]) != crc24(raw)):
        raise Refused(f"{name} is damaged: its checksum does not fit.")
    return raw


def _signer(name: str, signature: Sig, known: Mapping[str, Signer]) -> Signer:
    claimed = (signature.issuer_fingerprint or signature.issuer_key_id or "").upper()
    signer = known.get(claimed)
    if signer is None:
        raise Refused(
            f"{name} is signed by {claimed or 'somebody unnamed'}, who is not a trusted signer of this repository. "
            "Add the signer or have the release signed again."
        )
    if not signer.active:
        raise Refused(f"{name} is signed by {signer.label}, who is not trusted any more. Have it signed by another.")
    return signer


def _check(name: str, signature: Sig, *, sums: bytes, signer: Signer, now: datetime) -> None:
    """Refuse unless this is a good signature over `sums` by a key of `signer` that is good at `now`."""
    if signature.hash_algorithm not in _STRONG:
        algorithm = str(signature.hash_algorithm).rpartition(".")[2]
        raise Refused(f"{name} uses {algorithm}, which is too weak to trust. Sign again with SHA-256 or better.")
    if signature.signature_type != SignatureType.Binary:
        raise Refused(f"{name} is a signature over text, not over the exact bytes. Sign with: gpg --detach-sign")
    cert = Cert.from_bytes(signer.public_key.encode())
    if why := _unusable(cert, now):
        raise Refused(f"{name} is signed by {signer.label}, whose key {signer.fingerprint} {why}.")
    if signature.expiration is not None and signature.expiration <= now:
        raise Refused(f"{name}: the signature of {signer.label} expired on {signature.expiration:%Y-%m-%d}.")
    if not _is_good(signature, sums, cert):
        raise Refused(f"{name} does not fit SHA256SUMS: one of the two was changed after {signer.label} signed.")


def _is_good(signature: Sig, sums: bytes, cert: Cert) -> bool:
    """Tell whether Sequoia accepts it as a signature by this very certificate."""
    try:
        found = verify(sums, lambda _ids: [cert], signature=signature).valid_sigs
    except RuntimeError:
        return False
    # The certificate is compared again: what was verified must be what is counted.
    return len(found) == 1 and found[0].certificate == cert.fingerprint


def _unusable(cert: Cert, now: datetime) -> str:
    if cert.is_revoked:
        return "was revoked"
    if cert.expiration is not None and cert.expiration <= now:
        return f"expired on {cert.expiration:%Y-%m-%d}"
    return ""
