"""Who may sign, and one good signature, as values. What openpgp and cms verify and trust counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Signer:
    """Somebody whose signature may count: a person's OpenPGP key, or a company CA and all it gave certificates to."""

    fingerprint: str  # primary key's, or SHA-256 of the root's DER; upper-case hex
    label: str
    public_key: str  # armoured; of a CA its certificates in PEM, the root first
    active: bool
    kind: str = "openpgp"  # or "ca"
    crl: str = ""  # of a CA, PEM
    group: str = "release"


@dataclass(frozen=True)
class Signed:
    """One good signature."""

    name: str  # the signature's file
    fingerprint: str  # the Signer's
    identity: str  # who it was: the fingerprint, or the certificate's subject (RFC 4514)
    group: str
    signed_at: datetime  # as the signed bytes say
