"""The lab's OpenPGP key: made once, kept in the cache, and what a gateway pins of it."""

from __future__ import annotations

import json
from pathlib import Path

from lab.commands import run, text

OWNER = "Handover lab releases <releases@lab.invalid>"


class Signer:
    """A signing key in a GnuPG home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.trust = self.folder / "trust"
        self._gpg = ["gpg", "--homedir", str(self.folder / "gnupg"), "--batch", "--quiet", "--no-tty"]

    def prepare(self) -> None:
        """Make the key and its public files, once: trust/{policy.json,openpgp.gpg} and release-key.asc."""
        if (self.trust / "policy.json").exists():
            return
        self.trust.mkdir(parents=True, exist_ok=True)
        (self.folder / "gnupg").mkdir(mode=0o700, exist_ok=True)
        if not self._fingerprints():
            run([*self._gpg, "--passphrase", "", "--quick-gen-key", OWNER, "ed25519", "sign", "never"])
        (self.trust / "openpgp.gpg").write_bytes(run([*self._gpg, "--export", self.fingerprint]))
        (self.folder / "release-key.asc").write_bytes(run([*self._gpg, "--armor", "--export", self.fingerprint]))
        policy = {"threshold": 1, "openpgp": [self.fingerprint]}
        (self.trust / "policy.json").write_text(json.dumps(policy, indent=2) + "\n")
        self._stop_agent()

    def _fingerprints(self) -> list[str]:
        listing = text([*self._gpg, "--with-colons", "--list-secret-keys"])
        return [line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")]

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, 40 upper-case hex digits."""
        return self._fingerprints()[0]

    def sign(self, path: Path) -> None:
        """Write PATH.asc, a detached armoured signature over PATH."""
        run([*self._gpg, "--yes", "--armor", "--detach-sign", "--output", f"{path}.asc", str(path)])
        self._stop_agent()

    def _stop_agent(self) -> None:
        # gpg leaves an agent behind for its home; nothing of the lab may outlive its use.
        run(["gpgconf", "--homedir", str(self.folder / "gnupg"), "--kill", "gpg-agent"])
