"""Who signed a statement: SSH signatures of approvers' own keys, checked here as gateways check them again.

`ssh-keygen -Y sign -n handover -f KEY statement.json` makes one. The controller holds no such key: it only looks.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from approvals.errors import Refused
from approvals.models import ApproverKey

NAMESPACE = "handover"
SECONDS = 20
ARMOUR = re.compile(r"-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+\n-----END SSH SIGNATURE-----")


def names() -> dict[str, str]:
    """Name on the gateways → public key, of everybody whose key counts; a second key of somebody is name-2."""
    rows = ApproverKey.objects.filter(active=True, user__is_active=True).select_related("user")
    seen: dict[str, int] = {}
    found = {}
    for row in rows.order_by("user__username", "pk"):
        name = row.user.username
        seen[name] = seen.get(name, 0) + 1
        found[name if seen[name] == 1 else f"{name}-{seen[name]}"] = row.public_key
    return found


def signer(text: str, signature: str) -> tuple[str, str]:
    """Return (file name, text) of one good signature, as gateways take it: ("alice.sig", armoured). Refused else."""
    found = ARMOUR.search(signature.replace("\r\n", "\n"))
    if found is None:
        raise Refused("This is no SSH signature: paste all of statement.json.sig, from BEGIN to END.")
    allowed = "".join(f'{name} namespaces="{NAMESPACE}" {key}\n' for name, key in names().items())
    with tempfile.TemporaryDirectory(prefix="signed-") as folder:
        keys, detached = Path(folder, "allowed"), Path(folder, "signature")
        keys.write_text(allowed)
        detached.write_text(found[0] + "\n")
        files = ["-f", str(keys), "-s", str(detached)]
        said = _ran(["-Y", "find-principals", *files], "")
        name = said.splitlines()[0].strip() if said else ""
        if not name or _ran(["-Y", "verify", "-n", NAMESPACE, "-I", name, *files], text) is None:
            raise Refused("No approver's key that counts made this signature over this statement.")
    return f"{name}.sig", found[0] + "\n"


def _ran(words: list[str], stdin: str) -> str | None:
    """Output of ssh-keygen, None when it says no."""
    try:
        done = subprocess.run(
            ["ssh-keygen", *words], input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
