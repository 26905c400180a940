"""The lab's signer of releases and its approver: keys made once, kept in the cache, and what a gateway pins of them."""

from __future__ import annotations

import json
from pathlib import Path

from lab.commands import run, text

OWNER = "Handover lab releases <releases@lab.invalid>"
APPROVER = "approver"  # by this name the gateways know him


class Signer:
    """A signing key in a GnuPG home of its own, and beside it the SSH key of one who approves statements."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.trust = self.folder / "trust"
        self.approver_key = self.folder / APPROVER
        self._gpg = ["gpg", "--homedir", str(self.folder / "gnupg"), "--batch", "--quiet", "--no-tty"]

    def prepare(self) -> None:
        """Make the keys and their public files, once: trust/{policy.json,openpgp.gpg} and release-key.asc."""
        self.trust.mkdir(parents=True, exist_ok=True)
        if not self.approver_key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", APPROVER, "-f", str(self.approver_key)])
        if not (self.trust / "openpgp.gpg").exists():
            self._make()
        policy = json.dumps(self._policy(), indent=2) + "\n"
        if not (path := self.trust / "policy.json").exists() or path.read_text() != policy:
            path.write_text(policy)
        self._stop_agent()

    def _make(self) -> None:
        (self.folder / "gnupg").mkdir(mode=0o700, exist_ok=True)
        if not self._fingerprints():
            run([*self._gpg, "--passphrase", "", "--quick-gen-key", OWNER, "ed25519", "sign", "never"])
        (self.folder / "release-key.asc").write_bytes(run([*self._gpg, "--armor", "--export", self.fingerprint]))
        (self.trust / "openpgp.gpg").write_bytes(run([*self._gpg, "--export", self.fingerprint]))

    def _policy(self) -> dict[str, object]:
        key = " ".join(self.approver_key.with_suffix(".pub").read_text().split()[:2])
        approvers = {"needed": 1, "keys": [{"name": APPROVER, "key": key}]}
        openpgp = [{"fingerprint": self.fingerprint, "group": "release"}]
        named = {"format": 2, "serial": 0, "threshold": 1, "group": ""}
        return {**named, "openpgp": openpgp, "cas": [], "approvers": approvers}

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

    def approve(self, statement: str) -> dict[str, str]:
        """The approver's signature over a statement, as a request carries it."""
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", "handover", "-f", str(self.approver_key)]
        return {"name": f"{APPROVER}.sig", "text": run(argv, stdin=statement.encode()).decode()}

    def _stop_agent(self) -> None:
        # gpg leaves an agent behind for its home; nothing of the lab may outlive its use.
        run(["gpgconf", "--homedir", str(self.folder / "gnupg"), "--kill", "gpg-agent"])
