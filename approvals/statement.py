"""Statements that approvers sign with their own SSH keys: whose signature is it? Asks ssh-keygen, as gateways do.

`ssh-keygen -Y sign -n handover -f KEY statement.json` makes the signature; the controller never holds such a key.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from approvals.errors import Refused
from approvals.models import ApproverKey, User

NAMESPACE = "handover"
SECONDS = 20
MOST = 65536  # characters of a signature
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,76}")  # what gateways take (fleet/ocgate/policy.py)
ARMOUR = re.compile(r"-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+\n-----END SSH SIGNATURE-----")

NEEDED: list[Callable[[], int]] = []
"""How many approvers a gateway asks for. The app that knows what gateways were told adds the one that there is."""


@dataclass(frozen=True)
class Signed:
    """Who signed, under which name gateways know the key, and the signature's text."""

    name: str
    user: User
    text: str


def named() -> dict[str, ApproverKey]:
    """Keys that count, by the names that gateways pin: the owner's, and name-2 for a second key.

    A key keeps its name when an earlier one of the same person is retired: gateways pin the two together.
    """
    given = _given()
    return {name: key for name, key in given.items() if key.active and key.user.is_active and NAME.fullmatch(name)}


def why_not_named(user: User) -> str:
    """Why gateways could not know another key of this person by a name; "" when they could."""
    given = _given()
    owners = {key.user.username for key in given.values()}
    if user.username not in owners and user.username in given:
        return f"Gateways know somebody's second key as {user.username}. Have your user name changed first."
    if NAME.fullmatch(_free(user.username, owners, given)):
        return ""
    return (
        f"Gateways can't know a key as {user.username[:80]}: such a name begins with a letter or a digit, has at most "
        "77 characters, and no others than A-Z a-z 0-9 . _ @ -. Have your user name changed first."
    )


def needed() -> int:
    """How many approvers gateways ask for, as they were last told; at least one."""
    return max([1, *(ask() for ask in NEEDED)])


def people_of(names: Iterable[str]) -> int:
    """How many people signed, by the names of their signatures ("alice-2.sig"): two keys of one person are one."""
    given = _given()
    bare = {name.removesuffix(".sig") for name in names}
    return len({given[name].user.username if name in given else name for name in bare})


def lacking(have: int) -> str:
    """Why gateways would not take a statement with so many approvers' signatures yet; "" when they would."""
    wanted = needed()
    if have >= wanted:
        return ""
    if wanted == 1:
        return "No approver has signed it yet."
    has, more = "has" if have == 1 else "have", wanted - have
    return f"{have} of {wanted} approvers {has} signed it; gateways ask for {wanted}, so {more} more must sign."


def signed(text: str, signature: str) -> Signed:
    """Return whose signature over `text` this is. Refused, with the sentence, when it is nobody's."""
    found = ARMOUR.search(signature.replace("\r\n", "\n")) if len(signature) <= MOST else None
    if found is None:
        raise Refused("This is no SSH signature. Sign with: ssh-keygen -Y sign -n handover -f KEY statement.json")
    keys = named()
    if not keys:
        raise Refused("Nobody has a key for statements yet. Add yours on the page Keys.")
    armoured = f"{found[0]}\n"
    with tempfile.TemporaryDirectory(prefix="handover-statement-") as folder:
        allowed, detached = Path(folder, "allowed"), Path(folder, "signature")
        lines = [f'{name} namespaces="{NAMESPACE}" {key.public_key}\n' for name, key in keys.items()]
        allowed.write_text("".join(lines))
        detached.write_text(armoured)
        files = ["-f", str(allowed), "-s", str(detached)]
        names = _ask(["find-principals", *files], "").strip().splitlines()
        if len(names) != 1 or names[0] not in keys:
            raise Refused("The key that made this signature is no approver's here. Add it on the page Keys first.")
        if not _ask(["verify", "-n", NAMESPACE, "-I", names[0], *files], text):
            raise Refused(
                f"This is a signature of {names[0]}, but not over this statement. Download it and sign it anew."
            )
    return Signed(names[0], keys[names[0]].user, armoured)


def _given() -> dict[str, ApproverKey]:
    """Every key by its name, retired ones among them."""
    rows = list(ApproverKey.objects.select_related("user").order_by("user__username", "pk"))
    owners = {row.user.username for row in rows}
    given: dict[str, ApproverKey] = {}
    for key in rows:
        given[_free(key.user.username, owners, given)] = key
    return given


def _free(username: str, owners: Collection[str], given: Collection[str]) -> str:
    """The first of NAME, NAME-2, NAME-3… that no other key has and that is no other person's name."""
    if username not in given:
        return username
    return next(name for n in count(2) if (name := f"{username}-{n}") not in given and name not in owners)


def _ask(words: list[str], stdin: str) -> str:
    """What ssh-keygen said; "" when it said no. Refused when it does not answer."""
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *words], input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Refused(f"ssh-keygen could not be asked whose signature this is: {failure}.")
    return done.stdout if done.returncode == 0 else ""
