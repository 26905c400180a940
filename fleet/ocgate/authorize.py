"""`authorize`: which keys may sign in as the controller. Approvers whose keys are pinned here must have signed it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import List

from . import locks, policy, statement
from . import state as states
from .call import Call, Result
from .errors import Refused
from .paths import Paths

_KEY = (
    r"(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com"
    r"|rsa-sha2-512|ssh-rsa) [A-Za-z0-9+/]+={0,3}(?: [A-Za-z0-9._@:+-]{1,100})?"
)
KEY = re.compile(_KEY)
# A CA's key: whoever it gave a certificate for one of these principals.
AUTHORITY = re.compile(rf'(cert-authority(?:,principals="[A-Za-z0-9._@:+-]+(?:,[A-Za-z0-9._@:+-]+)*")?) ({_KEY})')


def authorize(call: Call) -> Result:
    """Replace the keys; the same ones again are no work."""
    keys: List[str] = call.args["keys"]
    text = call.args["statement"]
    with locks.held(call.paths.run, "trust", wait=2.0):
        states.admit(call.paths, call.fence)
        fields = statement.read(text, call.paths.trust, kind="authorize")
        if fields.get("sha256") != sha256_of(keys):
            raise Refused("statement_bad", "The keys are not those that the approvers signed for; nothing was changed.")
        statement.approved(text, call.args["signatures"], call.paths.trust, kind="authorize")
        path = file(call.paths)
        name = policy.read(call.paths.trust).gateway
        lines = "".join(line(key, program=call.paths.program, gateway=name) for key in keys)
        already = path.exists() and path.read_text() == lines
        _refuse_older(call.paths, statement.moment(fields["made"]), already=already)
        if not already:
            states.write_whole(path, lines, mode=0o644)
    return {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "already": already}


def sha256_of(keys: List[str]) -> str:
    """What the approvers' statement names: the keys as they came, one a line. Pure."""
    return hashlib.sha256("".join(key + "\n" for key in keys).encode()).hexdigest()


def file(paths: Paths) -> Path:
    """The authorized_keys of the controller's user; root's, so that it can't give itself more."""
    return paths.lib / "home" / ".ssh" / "authorized_keys"


def line(key: str, *, program: Path, gateway: str) -> str:
    """One line of authorized_keys: this key may run one command. Refused when it is no public key. Pure.

    A CA that names no principals is believed for this gateway's own name only, so that one statement does for all
    gateways and a certificate for one of them opens no other.
    """
    forced = f'restrict,command="sudo -n {program} serve"'
    authority = AUTHORITY.fullmatch(key)
    if authority:
        options = authority[1] if "principals=" in authority[1] else f'{authority[1]},principals="{gateway}"'
        return f"{forced},{options} {authority[2]}\n"
    if KEY.fullmatch(key) is None:
        raise Refused("bad_request", f"{key[:60]!r} is no public SSH key, as in an authorized_keys file.")
    return f"{forced} {key}\n"


def _refuse_older(paths: Paths, made: float, *, already: bool) -> None:
    """What was taken back must not come again with the statement that once gave it.

    One that says what is here `already` counts too: the keys may have come with the installation.
    """
    with states.changing(paths) as state:
        if made < state.authorized_made and not already:
            raise Refused("statement_bad", "A newer statement has set the keys of this gateway; nothing was changed.")
        state.authorized_made = max(made, state.authorized_made)
