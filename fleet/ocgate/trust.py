"""Who signed, and does it count? Keys and threshold are pinned here; the controller is not asked. Fails closed.

`gpgv` exits 0 for signatures by revoked and by expired keys and over SHA-1 (reference/security 1.4), so its exit code
is not asked: one signature at a time, its status lines are read. Every signature that comes must be good, and enough
*different* signers must be behind them: a primary key, or a CA and the subject of a certificate, is one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Dict, List

from . import cms, openpgp, policy
from .errors import Refused
from .policy import Policy
from .run import run


def verify(signed: str, signatures: List[Dict[str, str]], trust: Path, *, what: str = "release") -> List[str]:
    """Identities of the distinct trusted signers of a text that count; refused below the policy's threshold."""
    pinned = policy.read(trust)
    if not signatures:
        raise Refused("signature_missing", f"The {what} carries no signature; nothing was changed.")
    groups: Dict[str, str] = {}
    for signature in signatures:
        if not signature["text"].strip():
            raise Refused("signature_bad", f"{signature['name']} is empty.")
        if signature["name"].endswith(".p7s"):
            identity, group = cms.signer(signed, signature, pinned, trust)
            groups[identity] = group
        elif signature["name"].endswith(".asc"):
            groups.update(_openpgp(signed, signature, pinned, trust))
        else:
            raise Refused("signature_bad", f"{signature['name']} is neither OpenPGP (.asc) nor CMS (.p7s).")
    counted = sorted(identity for identity, group in groups.items() if pinned.counts(group))
    if len(counted) < pinned.threshold:
        of = f" of the group {pinned.group}" if pinned.group else ""
        say = f"The {what} has signatures of {len(counted)} trusted signers{of}; this gateway needs {pinned.threshold}."
        raise Refused("signature_bad", say)
    return counted


def judged(status: str, name: str) -> str:
    """The primary fingerprint behind the one signature that gpgv's status lines speak of, or refused. Pure."""
    lines = [line.split() for line in status.splitlines() if line.startswith("[GNUPG:] ")]
    words = {fields[1]: fields for fields in lines if len(fields) > 1}
    key = next((fields[2] for word, fields in words.items() if word.endswith("SIG") and len(fields) > 2), "")
    damning = {
        "REVKEYSIG": f"is signed by {key}, whose key was revoked",
        "EXPKEYSIG": f"is signed by {key}, whose key has expired",
        "EXPSIG": f"has expired: {key} signed for a time that is over",
        "BADSIG": f"does not fit: what {key} signed was changed, or it was another text",
    }
    for word, why in damning.items():
        if word in words:
            raise Refused("signature_bad", f"{name} {why}.")
    if "NO_PUBKEY" in words:
        say = f"{name} is signed by {words['NO_PUBKEY'][-1]}, who is not pinned on this gateway."
        raise Refused("signer_unknown", say)
    valid = words.get("VALIDSIG", [])
    if "ERRSIG" in words or "GOODSIG" not in words or len(valid) < 12 or _doubled(lines):
        raise Refused("signature_bad", f"{name} can't be verified by gpgv on this gateway.")
    # VALIDSIG's last field is the primary key's fingerprint, the third the key's own (doc/DETAILS of GnuPG).
    return valid[-1].upper()


def _doubled(lines: List[List[str]]) -> bool:
    return sum(fields[1] == "VALIDSIG" for fields in lines) != 1


def _openpgp(signed: str, signature: Dict[str, str], pinned: Policy, trust: Path) -> Dict[str, str]:
    """Primary fingerprint → group of all who signed one .asc file."""
    name = signature["name"]
    try:
        made = openpgp.signatures(signature["text"])
    except openpgp.Malformed as why:
        raise Refused("signature_bad", f"{name} can't be used: {why}.") from None
    found: Dict[str, str] = {}
    for one in made[:16]:
        if one.digest not in openpgp.STRONG:
            weak = openpgp.WEAK_NAMES.get(one.digest, f"digest {one.digest}")
            raise Refused("signature_bad", f"{name} uses {weak}, which is too weak to trust. Sign again with SHA-256.")
        if one.kind != openpgp.BINARY:
            say = f"{name} is a signature over text, not over the exact bytes. Sign with: gpg --detach-sign"
            raise Refused("signature_bad", say)
        primary = judged(_status(signed, one.packet, trust / "openpgp.gpg"), name)
        if primary not in pinned.openpgp:
            raise Refused("signer_unknown", f"{name} is signed by {primary}, who is not pinned on this gateway.")
        found[primary] = pinned.openpgp[primary]
    return found


def _status(signed: str, packet: bytes, keyring: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="ocgate-trust-") as folder:
        data, detached = Path(folder, "signed"), Path(folder, "signature")
        data.write_bytes(signed.encode())
        detached.write_bytes(packet)
        argv = [
            "gpgv",
            "--status-fd",
            "1",
            "--weak-digest",
            "SHA1",
            "--keyring",
            str(keyring),
            str(detached),
            str(data),
        ]
        done = run(argv, timeout=20)
    if done.code == -1:
        raise Refused("signature_bad", f"Nothing can be verified: {done.err}.")
    return done.out
