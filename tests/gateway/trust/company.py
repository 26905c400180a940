"""A company CA and the certificates that it gives out, made with `cryptography`; the signatures are openssl's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.gateway.trust.people import run

CODE, MAIL = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Given:
    """A certificate with its key, as files."""

    certificate: x509.Certificate
    pem: Path
    key: Path


class Company:
    """One CA in a folder. `now` is when it was made."""

    def __init__(self, folder: Path, name: str = "Example CA") -> None:
        folder.mkdir()
        self.folder = folder
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        base = x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
        base = base.public_key(self._key.public_key()).serial_number(1)
        base = base.not_valid_before(self.now - 400 * DAY).not_valid_after(self.now + 3650 * DAY)
        base = base.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = {name: name in ("key_cert_sign", "crl_sign") for name in USAGES}
        self.root = base.add_extension(x509.KeyUsage(**usage), critical=True).sign(self._key, hashes.SHA256())
        self._revoked: list[int] = []

    @property
    def pem(self) -> str:
        return self.root.public_bytes(serialization.Encoding.PEM).decode()

    def give(self, name: str, *purposes: ObjectIdentifier, days: tuple[int, int] = (-1, 30)) -> Given:
        """A certificate for signing, valid from and until so many days from now; without purposes it names none."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(self.now + days[0] * DAY).not_valid_after(self.now + days[1] * DAY)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(x509.KeyUsage(**{n: n == "digital_signature" for n in USAGES}), critical=True)
        if purposes:
            made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        given = Given(made.sign(self._key, hashes.SHA256()), self.folder / f"{name}.pem", self.folder / f"{name}.key")
        given.pem.write_bytes(given.certificate.public_bytes(serialization.Encoding.PEM))
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        given.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
        return given

    def revoke(self, given: Given) -> None:
        self._revoked.append(given.certificate.serial_number)

    def crl(self, *, hours: tuple[int, int] = (-2, 24)) -> str:
        """Its revocation list, from and until so many hours from now."""
        from_, until = (self.now + timedelta(hours=hour) for hour in hours)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(from_).next_update(until)
        for serial in self._revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(from_).build()
            made = made.add_revoked_certificate(entry)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def sign(given: Given, text: str, *options: str, name: str = "release.p7s") -> dict[str, str]:
    """A detached CMS signature by openssl."""
    argv = [
        "openssl",
        "cms",
        "-sign",
        "-binary",
        "-outform",
        "PEM",
        "-signer",
        str(given.pem),
        "-inkey",
        str(given.key),
    ]
    return {"name": name, "text": run([*argv, *options], stdin=text.encode()).decode()}
