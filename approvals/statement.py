"""Statements that approvers sign with their own SSH keys: whose signature is it? Asks ssh-keygen, as gateways do.

`ssh-keygen -Y sign -n handover -f KEY statement.json` makes the signature; the controller never holds such a key.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from approvals.errors import Refused
from approvals.models import ApproverKey, User

NAMESPACE = "handover"
SECONDS = 20
MOST = 65536  # characters of a signature


@dataclass(frozen=True)
class Signed:
    """Who signed, under which name gateways know the key, and the signature's text."""

    name: str
    user: User
    text: str


def named() -> dict[str, ApproverKey]:
    """Active keys by the names that gateways pin: the owner's, and name-2 for a second key; each key counts once."""
    rows = ApproverKey.objects.filter(active=True, user__is_active=True).select_related("user")
    found: dict[str, ApproverKey] = {}
    seen: dict[str, int] = {}
    for key in rows.order_by("user__username", "pk"):
        name = key.user.username
        seen[name] = seen.get(name, 0) + 1
        found[name if seen[name] == 1 else f"{name}-{seen[name]}"] = key
    return found


def signed(text: str, signature: str) -> Signed:
    """Return whose signature over `text` this is. Refused, with the sentence, when it is nobody's."""
    keys = named()
    if not keys:
        raise Refused("Nobody has a key for statements yet. Add yours on the page Keys.")
    if not signature.strip().startswith("-----BEGIN SSH SIGNATURE-----") or len(signature) > MOST:
        raise Refused("This is no SSH signature. Sign with: ssh-keygen -Y sign -n handover -f KEY statement.json")
    with tempfile.TemporaryDirectory(prefix="handover-statement-") as folder:
        allowed, detached = Path(folder, "allowed"), Path(folder, "signature")
        lines = [f'{name} namespaces="{NAMESPACE}" {key.public_key}\n' for name, key in keys.items()]
        allowed.write_text("".join(lines))
        detached.write_text(signature.strip() + "\n")
        files = ["-f", str(allowed), "-s", str(detached)]
        found = _ask(["find-principals", *files], "").strip().splitlines()
        if len(found) != 1 or found[0] not in keys:
            raise Refused("The key that made this signature is no approver's here. Add it on the page Keys first.")
        if not _ask(["verify", "-n", NAMESPACE, "-I", found[0], *files], text):
            raise Refused(
                f"This is a signature of {found[0]}, but not over this statement. Download it and sign it anew."
            )
    return Signed(found[0], keys[found[0]].user, signature.strip() + "\n")


def _ask(words: list[str], stdin: str) -> str:
    """What ssh-keygen said; "" when it said no. Refused when it does not answer."""
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *words], input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Refused(f"ssh-keygen could not be asked whose signature this is: {failure}.")
    return done.stdout if done.returncode == 0 else ""
