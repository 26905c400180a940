"""Who may sign a release: keys and threshold pinned on this gateway at enrolment. Fails closed.

`gpgv` exits 0 for signatures by revoked and by expired keys and over SHA-1 (reference/security 1.4), so its exit code
is not asked: the status lines are read, and distinct primary keys that the policy names are counted.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, FrozenSet, List

from .errors import Refused
from .run import run

FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
# Any of these on a signature takes it out, whatever else gpgv says of it.
DAMNING = frozenset({"REVKEYSIG", "EXPKEYSIG", "EXPSIG", "BADSIG", "ERRSIG", "NO_PUBKEY"})


def verify(sums: str, signatures: List[Dict[str, str]], trust: Path) -> List[str]:
    """Fingerprints of the distinct trusted signers over `sums`; refused below the policy's threshold."""
    policy = read_policy(trust)
    if not signatures:
        raise Refused("signature_missing", "The release carries no signature; nothing was installed.")
    for signature in signatures:
        if signature["name"].endswith(".p7s"):
            say = f"{signature['name']} is a CMS signature; this ocgate verifies OpenPGP (.asc) only."
            raise Refused("signature_bad", say)
    signers: List[str] = []
    strangers: List[str] = []
    for signature in signatures:
        for primary in good_signers(_status(sums, signature["text"], trust / "openpgp.gpg")):
            pile = signers if primary in policy.fingerprints else strangers
            if primary not in pile:
                pile.append(primary)
    if len(signers) >= policy.threshold:
        return signers
    counted = f"{len(signers)} of {policy.threshold} trusted signers signed it"
    if strangers and not signers:
        raise Refused("signer_unknown", f"The signer {strangers[0]} is not pinned on this gateway; {counted}.")
    raise Refused("signature_bad", f"The signatures over SHA256SUMS do not hold: {counted}; nothing was installed.")


class Policy:
    """Threshold (≥ 1) and the primary fingerprints that count, upper-case hex."""

    def __init__(self, threshold: int, fingerprints: FrozenSet[str]) -> None:
        self.threshold = threshold
        self.fingerprints = fingerprints


def read_policy(trust: Path) -> Policy:
    """policy.json; anything odd in it is a rule that says no."""
    try:
        return parse_policy(json.loads((trust / "policy.json").read_text()))
    except (OSError, ValueError, KeyError, TypeError) as failure:
        say = f"The trust policy {trust / 'policy.json'} can't be used ({failure}); nothing is installed until then."
        raise Refused("signature_bad", say) from failure


def parse_policy(raw: Any) -> Policy:
    """Build a Policy; ValueError when it could let an unsigned release through."""
    threshold, named = raw["threshold"], raw["openpgp"]
    if not isinstance(threshold, int) or isinstance(threshold, bool) or threshold < 1:
        raise ValueError("threshold must be 1 or more")
    if not isinstance(named, list) or not all(isinstance(f, str) for f in named):
        raise ValueError("openpgp must be a list of fingerprints")
    fingerprints = frozenset(f.replace(" ", "").upper() for f in named)
    if not all(FINGERPRINT.fullmatch(f) for f in fingerprints):
        raise ValueError("a fingerprint has 40 or 64 hexadecimal digits")
    if len(fingerprints) < threshold:
        raise ValueError(f"threshold {threshold} can't be met by {len(fingerprints)} keys")
    return Policy(threshold, fingerprints)


def good_signers(status: str) -> List[str]:
    """Primary fingerprints of the signatures that hold, from gpgv's status lines. Pure.

    Each signature begins with NEWSIG; a block with a damning line, or without GOODSIG and VALIDSIG, counts nothing.
    """
    found = []
    for block in re.split(r"(?m)^\[GNUPG:\] NEWSIG.*$", status)[1:]:
        lines = [line.split() for line in block.splitlines() if line.startswith("[GNUPG:] ")]
        words = [fields[1] for fields in lines if len(fields) > 1]
        if DAMNING & set(words) or "GOODSIG" not in words:
            continue
        # VALIDSIG's last field is the primary key's fingerprint, the third the key's own (doc/DETAILS of GnuPG).
        found += [fields[-1].upper() for fields in lines if fields[1] == "VALIDSIG" and len(fields) >= 12]
    return found


def _status(sums: str, signature: str, keyring: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="ocgate-trust-") as folder:
        data, detached = Path(folder, "SHA256SUMS"), Path(folder, "SHA256SUMS.asc")
        data.write_bytes(sums.encode())
        detached.write_bytes(signature.encode())
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
