"""A company CA: its certificates and its lists of revoked ones. Pure; PEM in and out, Refused otherwise."""

from __future__ import annotations

import re
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from approvals.errors import Refused

_CHAIN_MOST = 5
_CRL_MOST = 1024 * 1024  # bytes
_STRONG = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CRL_BLOCK = re.compile(r"-----BEGIN X509 CRL-----\n[A-Za-z0-9+/=\n]+-----END X509 CRL-----\n?")


def certificates(pem: str) -> list[x509.Certificate]:
    """Read the certificates of a CA, the root first."""
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("These are no certificates in PEM. Give the CA's own, the root first, then those below it.")


def checked(text: str, *, now: datetime) -> tuple[str, str]:
    """Read a CA; return (SHA-256 of its root in upper-case hex, its certificates in PEM anew). Refused if unusable."""
    if "PRIVATE KEY" in text:
        raise Refused("There is a private key in this text. Keep it away from here; give the certificates only.")
    chain = certificates(text)
    if len(chain) > _CHAIN_MOST:
        raise Refused(f"These are {len(chain)} certificates; a CA has {_CHAIN_MOST} at most.")
    for place, certificate in enumerate(chain):
        above = chain[:place] or [certificate]
        if not any(_issued_by(certificate, one) for one in above):
            who = "its own key, so it is no root" if place == 0 else "none before it"
            raise Refused(f"{subject(certificate)} is signed by {who}. Give the root first, then those below it.")
        _check_one(certificate, now=now)
    return fingerprint(chain[0]), "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex().upper()


def subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "A certificate without a name"


def issued(pem: str, certificate: x509.Certificate) -> bool:
    """Whether one of the CA's certificates signed this one."""
    return any(_issued_by(certificate, one) for one in certificates(pem))


def lists(pem: str) -> list[x509.CertificateRevocationList]:
    """Read CRLs. Refused for anything between them: nothing is skipped."""
    blocks = _CRL_BLOCK.findall(pem.replace("\r\n", "\n"))
    if not blocks or "".join(pem.split()) != "".join("".join(blocks).split()) or len(pem) > _CRL_MOST:
        raise Refused("This is no list of revoked certificates in PEM (-----BEGIN X509 CRL-----).")
    try:
        return [x509.load_pem_x509_crl(block.encode()) for block in blocks]
    except ValueError as error:
        raise Refused(f"This list of revoked certificates can't be read: {error}.")


def pem(crl: x509.CertificateRevocationList) -> str:
    return crl.public_bytes(Encoding.PEM).decode()


def newer(chain_pem: str, old_pem: str, new_pem: str, *, now: datetime) -> str:
    """Return the CA's CRLs with the new ones in the place of the old, in PEM; `old_pem` may be "".

    Refused unless the CA signed each, each is good now and not older than the one it replaces, and every certificate
    of the CA has one: without it nobody could tell whether what it issued was revoked.
    """
    chain = certificates(chain_pem)
    kept = {_owner(crl, chain): crl for crl in lists(old_pem)} if old_pem else {}
    for crl in lists(new_pem):
        owner = _owner(crl, chain)
        _check_list(crl, now=now)
        if owner in kept and crl.last_update_utc < kept[owner].last_update_utc:
            raise Refused(f"The list of {owner} is from {crl.last_update_utc:%Y-%m-%d %H:%M}, older than the one here.")
        kept[owner] = crl
    if missing := [subject(one) for one in chain if subject(one) not in kept]:
        raise Refused(f"The list of {', '.join(missing)} is missing. Each certificate of the CA needs its own.")
    return "".join(pem(kept[subject(one)]) for one in chain)


def due(crl_pem: str) -> datetime | None:
    """When the first of the CRLs must be replaced; None where there is none that can be read."""
    try:
        found = [crl.next_update_utc for crl in lists(crl_pem)]
    except Refused:
        return None
    return min((at for at in found if at), default=None)


def until(text: str) -> datetime | None:
    """When the first of the CA's certificates expires."""
    return min((one.not_valid_after_utc for one in certificates(text)), default=None)


def stale(crl_pem: str, label: str, *, now: datetime) -> str:
    """Why the CRLs say nothing today, or ""."""
    until = due(crl_pem)
    if until is None:
        return f"The list of revoked certificates of {label} is missing, so none of them counts. Upload it at Signers."
    if until <= now:
        return (
            f"The list of revoked certificates of {label} was due for renewal on {until:%Y-%m-%d %H:%M} UTC, so nobody"
            " can tell who was revoked since. Upload a newer one at Signers."
        )
    return ""


def revoked(crl_pem: str, certificate: x509.Certificate) -> datetime | None:
    """When the certificate was revoked, or None."""
    for crl in lists(crl_pem):
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and crl.issuer == certificate.issuer:
            return entry.revocation_date_utc
    return None


def _owner(crl: x509.CertificateRevocationList, chain: list[x509.Certificate]) -> str:
    for one in chain:
        if crl.issuer == one.subject and _is_signed(crl, one):
            return subject(one)
    raise Refused(f"The list of {crl.issuer.rfc4514_string()} is not signed by this CA.")


def _is_signed(crl: x509.CertificateRevocationList, by: x509.Certificate) -> bool:
    key = by.public_key()
    if not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ):
        return False
    try:
        return crl.is_signature_valid(key)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError):
        return False


def _check_list(crl: x509.CertificateRevocationList, *, now: datetime) -> None:
    who = crl.issuer.rfc4514_string()
    if crl.last_update_utc > now:
        raise Refused(f"The list of {who} is from {crl.last_update_utc:%Y-%m-%d %H:%M}, which is still to come.")
    if crl.next_update_utc is None or crl.next_update_utc <= now:
        until = f"{crl.next_update_utc:%Y-%m-%d %H:%M}" if crl.next_update_utc else "a day that it does not say"
        raise Refused(f"The list of {who} is good until {until}. Have the CA make a new one.")
    if odd := [extension.oid.dotted_string for extension in crl.extensions if extension.critical]:
        raise Refused(f"The list of {who} covers a part of what the CA issued ({', '.join(odd)}). Give the whole one.")
    if not isinstance(crl.signature_hash_algorithm, (*_STRONG, type(None))):
        raise Refused(f"The list of {who} is signed with a digest that is too weak to trust.")


def _issued_by(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_one(certificate: x509.Certificate, *, now: datetime) -> None:
    who = subject(certificate)
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        basic = None
    if basic is None or not basic.ca:
        raise Refused(f"{who} is no certificate of a CA: it may not issue others.")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Refused(f"{who} is valid until {certificate.not_valid_after_utc:%Y-%m-%d}, so not today.")
    if not isinstance(certificate.signature_hash_algorithm, (*_STRONG, type(None))):
        raise Refused(f"{who} is signed with a digest that is too weak to trust.")
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        raise Refused(f"{who} has an RSA key of {key.key_size} bits; 2048 is the least.")
