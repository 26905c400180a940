"""People who sign, with real programs: gpg for signers of releases, ssh-keygen for approvers."""

from __future__ import annotations

import subprocess
from pathlib import Path

SUMS = "00  manifest.json\n"


def run(argv: list[str], *, stdin: bytes = b"") -> bytes:
    """What a program wrote; it must have worked."""
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=60).stdout


class Keys:
    """A GnuPG home with a few keys."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def gpg(self, *words: str, stdin: bytes = b"") -> bytes:
        quiet = ["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]
        return run(["gpg", "--homedir", str(self.home), *quiet, *words], stdin=stdin)

    def make(self, name: str, *, at: str = "", expires: str = "never") -> str:
        """A key that signs; its fingerprint."""
        clock = ["--faked-system-time", at] if at else []
        self.gpg(*clock, "--quick-generate-key", f"{name}@lab.invalid", "ed25519", "sign", expires)
        return self.fingerprints(name)[0]

    def add_subkey(self, name: str) -> str:
        """A second signing key of the same person; its fingerprint."""
        self.gpg("--quick-add-key", self.fingerprints(name)[0], "ed25519", "sign", "never")
        return self.fingerprints(name)[-1]

    def fingerprints(self, name: str) -> list[str]:
        lines = self.gpg("--with-colons", "--list-keys", f"{name}@lab.invalid").decode().splitlines()
        return [line.split(":")[9] for line in lines if line.startswith("fpr")]

    def sign(self, name: str, text: str = SUMS, *options: str, key: str = "") -> dict[str, str]:
        """NAME.asc over a text; `key` picks a subkey."""
        signer = f"{key}!" if key else f"{name}@lab.invalid"
        signed = self.gpg(*options, "-u", signer, "--armor", "--detach-sign", stdin=text.encode())
        return {"name": f"{name}.asc", "text": signed.decode()}

    def revoke(self, fingerprint: str) -> None:
        path = self.home / "openpgp-revocs.d" / f"{fingerprint}.rev"
        self.gpg("--import", stdin=path.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))

    def armoured(self, name: str) -> str:
        return self.gpg("--armor", "--export", f"{name}@lab.invalid").decode()

    def stop(self) -> None:
        """gpg leaves an agent behind for its home."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)


class Approver:
    """A person with an SSH key of his own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._key = folder / name
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self._key)])

    @property
    def public(self) -> str:
        return " ".join(self._key.with_suffix(".pub").read_text().split()[:2])

    @property
    def row(self) -> dict[str, str]:
        return {"name": self.name, "key": self.public}

    def sign(self, text: str, *, namespace: str = "handover") -> dict[str, str]:
        """NAME.sig over a statement."""
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self._key)]
        return {"name": f"{self.name}.sig", "text": run(argv, stdin=text.encode()).decode()}
