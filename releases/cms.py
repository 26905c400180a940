"""Detached CMS signatures (.p7s) under a company CA. Pure: bytes, certificates and CRLs in, who signed out.

pyHanko judges, in the mode that asks for a CRL of every certificate: its milder modes accept revoked ones. It takes
ordinary codeSigning certificates only when it is told so, and looks at no purpose when the CA itself has signed, so
both are asked here again. Whatever in a file no signature covers is refused: what stands there could be anything.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from asn1crypto import cms, crl, pem
from asn1crypto import x509 as asn1
from cryptography import x509
from pyhanko.sign.validation import async_validate_detached_cms
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from approvals.errors import Refused
from releases import authority
from releases.signatures import Signed, Signer

Found = TypeVar("Found", bound=x509.ExtensionType)
_STRONG = ("sha256", "sha384", "sha512")
_TELLING = ("content_type", "message_digest", "signing_time")  # each once among what is signed
_CLOCKS_DIFFER = timedelta(minutes=5)
_IDENTITY_MOST = 200  # characters; the column's width
_ARMOUR = re.compile(
    r"-----BEGIN (?P<kind>CMS|PKCS7)-----\n"
    r"(?P<body>(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n)"
    r"-----END (?P=kind)-----\n"
)
_HOW = "Sign with: openssl cms -sign -binary -outform PEM -signer CERTIFICATE -inkey KEY -in SHA256SUMS"
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # it logs each refusal as a warning; the record has ours


def verified(name: str, data: bytes, sums: bytes, *, authorities: Sequence[Signer], now: datetime) -> Signed:
    """Return who signed `sums` in this file. Refused unless all of it is good under one of the trusted CAs."""
    try:
        return _verified(name, data, sums, authorities=authorities, now=now)
    except Refused:
        raise
    except Exception:  # a stranger's bytes go through three parsers here, and whatever one of them says is a no
        raise Refused(f"{name} is no CMS signature. {_HOW}")


def _verified(name: str, data: bytes, sums: bytes, *, authorities: Sequence[Signer], now: datetime) -> Signed:
    content = _content(name, data)
    certificate = _certificate(name, content)
    signed_at = _signed_at(name, content["signer_infos"][0], now=now)
    signer = _signer(name, certificate, authorities)
    _check_dates(name, certificate, signed_at=signed_at, now=now)
    _check_purpose(name, certificate)
    if why := authority.stale(signer.crl, signer.label, now=now):
        raise Refused(f"{name}: {why}")
    if at := authority.revoked(signer.crl, certificate):
        raise Refused(
            f"{name} is signed by {authority.subject(certificate)}, whose certificate was revoked on {at:%Y-%m-%d}."
        )
    if not _is_good(content, sums, signer, now=now):
        raise Refused(
            f"{name} does not fit SHA256SUMS: one of the two, or the certificate of {authority.subject(certificate)}, "
            "was changed after signing."
        )
    return Signed(name, signer.fingerprint, _identity(name, certificate), signer.group, signed_at)


def text(name: str, data: bytes) -> str:
    """Return the signature as PEM, in which form it is kept and sent on; Refused when it is none."""
    body = base64.b64encode(_der(name, data)).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CMS-----", *lines, "-----END CMS-----", ""])


def _der(name: str, data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    found = _ARMOUR.fullmatch(data.decode("ascii", errors="replace"))
    if not found:
        raise Refused(f"{name} is no CMS signature in DER or PEM, or has text around it that nobody signed. {_HOW}")
    body = found["body"].replace("\n", "")
    raw = base64.b64decode(body + "=" * (-len(body) % 4))
    if base64.b64encode(raw).decode() != body:
        raise Refused(f"{name} is damaged: its text is no base64.")
    return raw


def _content(name: str, data: bytes) -> cms.SignedData:
    """Read the file; Refused when it is no detached signature of one signer, or holds anything that nobody signed."""
    der = _der(name, data)
    found = cms.ContentInfo.load(der, strict=True)
    found.native  # noqa: B018 - parsed lazily; what can't be read must be refused here
    content, infos = found["content"], list(found["content"]["signer_infos"])
    if cms.ContentInfo({"content_type": "signed_data", "content": content}).dump() != der:
        raise ValueError("not the one way to write it")
    if content["encap_content_info"]["content"].native is not None:
        raise Refused(f"{name} holds a text of its own instead of standing beside SHA256SUMS. {_HOW}")
    if len(infos) != 1:
        raise Refused(f"{name} holds {len(infos)} signatures. Give each signer's in a file of its own.")
    if len(infos[0]["unsigned_attrs"]):
        raise Refused(f"{name} carries attributes that nobody signed. {_HOW}")
    return content


def _certificate(name: str, content: cms.SignedData) -> x509.Certificate:
    """Return the certificate of the one who signed. It must have come with the signature."""
    sid = content["signer_infos"][0]["sid"]
    certificates = [choice.chosen for choice in content["certificates"] if sid.name == "issuer_and_serial_number"]
    for found in certificates:
        if sid.chosen["serial_number"].native == found.serial_number and sid.chosen["issuer"] == found.issuer:
            return x509.load_der_x509_certificate(found.dump())
    raise Refused(f"{name} comes without the certificate of the one who signed. {_HOW}")


def _signer(name: str, certificate: x509.Certificate, authorities: Sequence[Signer]) -> Signer:
    issuers = [known for known in authorities if authority.issued(known.public_key, certificate)]
    if not issuers:
        raise Refused(
            f"{name} is signed by {authority.subject(certificate)}, whose certificate no trusted CA of this repository "
            "gave. Add the CA or have the release signed again."
        )
    signer = next((known for known in issuers if known.active), issuers[0])
    if not signer.active:
        raise Refused(f"{name} is signed under {signer.label}, who is not trusted any more. Have it signed by another.")
    return signer


def _signed_at(name: str, info: cms.SignerInfo, *, now: datetime) -> datetime:
    """Return when it was signed, as the signed bytes say; times elsewhere decide nothing."""
    algorithm = str(info["digest_algorithm"]["algorithm"].native)
    mechanism = str(info["signature_algorithm"]["algorithm"].native)
    if algorithm not in _STRONG or "sha1" in mechanism or "md5" in mechanism:
        raise Refused(
            f"{name} uses {algorithm.upper()}, which is too weak to trust. Sign again with SHA-256 or better."
        )
    found = [str(attribute["type"].native) for attribute in info["signed_attrs"]]
    values = [attribute["values"] for attribute in info["signed_attrs"] if attribute["type"].native in _TELLING]
    times = [attribute["values"][0].native for attribute in info["signed_attrs"] if _is_time(attribute)]
    if any(found.count(wanted) != 1 for wanted in _TELLING) or any(len(value) != 1 for value in values):
        raise Refused(f"{name} does not say once, in what is signed, what was signed and when. {_HOW}")
    signed_at = times[0]
    if not isinstance(signed_at, datetime) or signed_at > now + _CLOCKS_DIFFER:
        raise Refused(
            f"{name} was signed on {signed_at:%Y-%m-%d %H:%M} UTC by its own account, which is still to come."
        )
    return signed_at


def _is_time(attribute: cms.CMSAttribute) -> bool:
    return bool(attribute["type"].native == "signing_time")


def _check_dates(name: str, certificate: x509.Certificate, *, signed_at: datetime, now: datetime) -> None:
    who, until = authority.subject(certificate), certificate.not_valid_after_utc
    if until <= now:
        raise Refused(f"{name} is signed by {who}, whose certificate expired on {until:%Y-%m-%d}.")
    if not certificate.not_valid_before_utc - _CLOCKS_DIFFER <= signed_at < until:
        raise Refused(
            f"{name} was signed on {signed_at:%Y-%m-%d %H:%M} UTC, when the certificate of {who} was not valid yet."
        )


def _check_purpose(name: str, certificate: x509.Certificate) -> None:
    """A certificate of the same CA for mail, for a server or for the CA itself must not sign releases."""
    who = authority.subject(certificate)
    purposes, usage = _extension(certificate, x509.ExtendedKeyUsage), _extension(certificate, x509.KeyUsage)
    if purposes is None or x509.oid.ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise Refused(f"{name} is signed by {who}, whose certificate is not for signing code (codeSigning).")
    if usage is not None and not usage.digital_signature:
        raise Refused(f"{name} is signed by {who}, whose certificate is not for signatures (digitalSignature).")
    basic = _extension(certificate, x509.BasicConstraints)
    if basic is not None and basic.ca:
        raise Refused(f"{name} is signed by {who}, which is a CA. A person's certificate has to sign.")


def _extension(certificate: x509.Certificate, kind: type[Found]) -> Found | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_good(content: cms.SignedData, sums: bytes, signer: Signer, *, now: datetime) -> bool:
    """Ask pyHanko; and let nothing stand in the file that is neither signed nor one of the CA's own certificates."""
    chain = [asn1.Certificate.load(der) for _, _, der in pem.unarmor(signer.public_key.encode(), multiple=True)]
    lists = [crl.CertificateList.load(der) for _, _, der in pem.unarmor(signer.crl.encode(), multiple=True)]
    context = ValidationContext(
        trust_roots=chain[:1],
        other_certs=chain[1:],
        crls=lists,
        moment=now,
        allow_fetching=False,
        revocation_mode="require",
    )
    # An empty set asks for no key usage; None would ask for nonRepudiation, which ordinary certificates lack.
    purpose = KeyUsageConstraints(key_usage=set(), extd_key_usage={"code_signing"})
    status = asyncio.run(async_validate_detached_cms(sums, content, context, key_usage_settings=purpose))
    return bool(status.bottom_line) and _holds_nothing_else(content, chain)


def _holds_nothing_else(content: cms.SignedData, chain: Sequence[asn1.Certificate]) -> bool:
    """Whether the bytes are the only ones that say what was verified: built anew from it, they are the same."""
    info = content["signer_infos"][0]
    plain = cms.DigestAlgorithm({"algorithm": info["digest_algorithm"]["algorithm"].native})
    digests = (plain.dump(), b"\x30\x0b" + plain["algorithm"].dump())  # with and without the empty parameters
    certificates = [choice.chosen for choice in content["certificates"]]
    mine = [found for found in certificates if found.dump() not in {one.dump() for one in chain}]
    if len(mine) != 1 or len(certificates) != len({found.dump() for found in certificates}):
        return False
    outer, inner = mine[0]["signature_algorithm"].dump(), mine[0]["tbs_certificate"]["signature"].dump()
    if outer != inner or mine[0]["signature_value"].contents[:1] != b"\0":  # bits left over, which nobody reads
        return False
    who = {"issuer": mine[0].issuer, "serial_number": mine[0].serial_number}
    same = {name: info[name] for name in ("digest_algorithm", "signed_attrs", "signature_algorithm", "signature")}
    sid = cms.SignerIdentifier({"issuer_and_serial_number": cms.IssuerAndSerialNumber(who)})
    said = {
        "version": "v1",
        "digest_algorithms": [info["digest_algorithm"]],
        "encap_content_info": {"content_type": "data"},
        "certificates": content["certificates"],
        "signer_infos": [cms.SignerInfo({"version": "v1", "sid": sid, **same})],
    }
    return info["digest_algorithm"].dump() in digests and cms.SignedData(said).dump() == content.untag().dump()


def _identity(name: str, certificate: x509.Certificate) -> str:
    """The subject: the same person with two certificates is one."""
    found = certificate.subject.rfc4514_string()
    if not found or len(found) > _IDENTITY_MOST:
        raise Refused(f"{name} is signed with a certificate whose name has {len(found)} characters; 1 to 200 are read.")
    return found
