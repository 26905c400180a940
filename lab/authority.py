"""The lab's certificate authority for the gateways' TLS, by the openssl program."""

from __future__ import annotations

from pathlib import Path

from lab.commands import run

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """One self-signed CA in `folder`: ca.pem, ca.key."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"

    def prepare(self) -> None:
        """Make the CA, once; ten years."""
        if self.certificate.exists():
            return
        self.certificate.parent.mkdir(parents=True, exist_ok=True)
        extensions = [
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]
        files = ["-keyout", str(self._key), "-out", str(self.certificate)]
        run(["openssl", "req", "-x509", *_CURVE, "-days", "3650", "-subj", "/CN=Handover lab CA", *extensions, *files])

    def issue(self, folder: Path, *, name: str, addresses: list[str]) -> None:
        """Write server.pem and server.key for a gateway's DNS name and public addresses."""
        alt = ",".join([f"DNS:{name}", *(f"IP:{address}" for address in addresses)])
        usage = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"]
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        files = ["-keyout", str(folder / "server.key"), "-out", str(folder / "server.pem")]
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={alt}"]
        run(["openssl", "req", "-x509", *_CURVE, "-days", "825", *signer, *names, *usage, *files])
        (folder / "server.key").chmod(0o600)
