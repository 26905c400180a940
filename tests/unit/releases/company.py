"""A company CA: certificates for whatever purpose, lists of revoked ones, and CMS signatures by openssl."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

CODE, MAIL = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION
DAY = timedelta(days=1)
START = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Holder:
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def private(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def name(common: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


@functools.cache
def authority(common: str = "Code CA", above: Holder | None = None) -> Holder:
    return _holder(common, above, ca=True, purposes=(), until=START + 3650 * DAY)


def person(
    common: str = "Li",
    *,
    by: Holder | None = None,
    purposes: Sequence[ObjectIdentifier] = (CODE,),
    until: datetime = START + 365 * DAY,
) -> Holder:
    return _holder(common, by or authority(), ca=False, purposes=purposes, until=until)


def _holder(
    common: str, above: Holder | None, *, ca: bool, purposes: Sequence[ObjectIdentifier], until: datetime
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = above.certificate.subject if above else name(common)
    builder = x509.CertificateBuilder(issuer, name(common), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(START - 30 * DAY).not_valid_after(until)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    signing = above.key if above else key
    return Holder(key, builder.sign(signing, hashes.SHA256()))


def crl(
    by: Holder | None = None,
    revoked: Iterable[Holder] = (),
    *,
    made: datetime = START - DAY,
    until: datetime = START + 30 * DAY,
) -> str:
    """The CA's list of revoked certificates, in PEM."""
    by = by or authority()
    builder = x509.CertificateRevocationListBuilder(by.certificate.subject, made, until)
    for holder in revoked:
        serial = holder.certificate.serial_number
        builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, made).build())
    return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def signature(holder: Holder, data: bytes, *options: str, form: str = "PEM") -> bytes:
    """A detached CMS signature as openssl makes it; `options` are more of its own."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "certificate.pem")
        key.write_bytes(holder.private)
        certificate.write_text(holder.pem)
        command = [
            "openssl",
            "cms",
            "-sign",
            "-binary",
            "-outform",
            form,
            "-signer",
            str(certificate),
            "-inkey",
            str(key),
        ]
        return subprocess.run([*command, *options], input=data, capture_output=True, check=True).stdout
