"""Statements: what people said over their own keys, which no controller holds. Canonical JSON, one line.

Approvers sign with their SSH keys (`ssh-keygen -Y sign -n handover`); `trust` and `self` are signed by the signers of
releases instead, in the number that the pinned policy wants.
"""

from __future__ import annotations

import calendar
import json
import re
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Dict, List

from . import policy
from .errors import Refused
from .run import run

NAMESPACE = "handover"
KINDS = frozenset({"authorize", "config", "downgrade", "self", "trust"})
COMMON = frozenset({"format", "kind", "gateway", "made", "expires"})
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
# A statement from further ahead than this would outrank every later one.
AHEAD_SECONDS = 86400
_SIGNATURE = re.compile(r"\s*-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+\n-----END SSH SIGNATURE-----\s*")


def canonical(fields: Dict[str, Any]) -> str:
    """The one text of a statement: sorted keys, no spaces, ASCII, one newline at the end. Pure."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n"


def drafted(kind: str, gateway: str, *, made: datetime, lasts: timedelta) -> Dict[str, Any]:
    """The common fields of a new statement; `made` in UTC, `gateway` "*" for every one. Pure."""
    dates = {"made": made.strftime(_MOMENT), "expires": (made + lasts).strftime(_MOMENT)}
    return {"format": 1, "kind": kind, "gateway": gateway, **dates}


def parse(text: str, *, kind: str, gateway: str, now: float) -> Dict[str, Any]:
    """The fields of a statement of `kind` that holds for `gateway` at `now` (epoch seconds), or refused. Pure."""
    fields = _fields(text, kind)
    if fields["gateway"] not in ("*", gateway):
        say = f"The {kind} statement is for {str(fields['gateway'])[:80]!r}; this gateway is {gateway!r}."
        raise Refused("statement_bad", say)
    if moment(fields["made"]) > now + AHEAD_SECONDS:
        raise Refused("statement_bad", f"The {kind} statement was made in the future, at {fields['made']}.")
    if moment(fields["expires"]) <= now:
        raise Refused("statement_expired", f"The {kind} statement expired at {fields['expires']}. Have it signed anew.")
    return fields


def moment(value: Any) -> float:
    """Epoch seconds of "2026-11-23T07:00:00Z"; refused when it is none. Pure."""
    if isinstance(value, str) and MOMENT.fullmatch(value):
        try:
            return float(calendar.timegm(time.strptime(value, _MOMENT)))
        except ValueError:
            pass
    raise Refused("statement_bad", f"The statement says {str(value)[:40]!r} where a time in UTC belongs.")


def read(text: str, trust: Path, *, kind: str) -> Dict[str, Any]:
    """`parse`, for this gateway and now."""
    return parse(text, kind=kind, gateway=policy.read(trust).gateway, now=time.time())


def approved(text: str, signatures: List[Dict[str, str]], trust: Path, *, kind: str) -> List[str]:
    """Names of the pinned approvers who signed this statement; refused below the number that the policy wants.

    Every signature that comes with it must be good, and each person counts once, whatever number of keys he has.
    """
    read(text, trust, kind=kind)
    pinned = policy.read(trust).approvers
    if not pinned.keys:
        say = (
            f"No approvers are pinned on this gateway, so nobody can approve a {kind}. Pin them with a trust statement."
        )
        raise Refused("approval_missing", say)
    names: List[str] = []
    for signature in signatures:
        name = signature["name"][: -len(".sig")]
        if not signature["name"].endswith(".sig") or name not in pinned.keys:
            say = f"{signature['name']} is by nobody who is pinned as an approver on this gateway."
            raise Refused("approver_unknown", say)
        _verify(text, signature, name=name, key=pinned.keys[name])
        if name not in names:
            names.append(name)
    people = {pinned.people[name] for name in names}
    if len(people) < pinned.needed:
        say = f"The {kind} statement is signed by {len(people)} of {pinned.needed} approvers that this gateway wants."
        raise Refused("approval_missing", say)
    return names


def _fields(text: str, kind: str) -> Dict[str, Any]:
    try:
        fields = json.loads(text, object_pairs_hook=policy.once)
    except (ValueError, RecursionError) as failure:
        raise Refused("statement_bad", f"The {kind} statement is no JSON, or has a field twice: {failure}.") from None
    # Python takes true and 1.0 for 1; another reader may not.
    if not isinstance(fields, dict) or not set(fields) >= COMMON or repr(fields["format"]) != "1":
        raise Refused("statement_bad", f"The {kind} statement lacks one of {', '.join(sorted(COMMON))}.")
    if fields["kind"] != kind:
        raise Refused("statement_bad", f"The statement is of kind {str(fields['kind'])[:40]!r}, and {kind} is needed.")
    if canonical(fields) != text:
        raise Refused("statement_bad", f"The {kind} statement is not in its canonical form.")
    return fields


def _verify(text: str, signature: Dict[str, str], *, name: str, key: str) -> None:
    if not signature["text"].strip():
        raise Refused("signature_bad", f"{signature['name']} is empty.")
    if not _SIGNATURE.fullmatch(signature["text"]):
        raise Refused("signature_bad", f"{signature['name']} is no SSH signature.")
    with tempfile.TemporaryDirectory(prefix="ocgate-statement-") as folder:
        allowed, detached = Path(folder, "allowed"), Path(folder, "signature")
        allowed.write_text(f'{name} namespaces="{NAMESPACE}" {key}\n')
        detached.write_text(signature["text"])
        argv = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", name, "-f", str(allowed), "-s", str(detached)]
        done = run(argv, timeout=20, stdin=text)
    if done.code != 0:
        say = f"{signature['name']} does not hold: {name} did not sign this statement with the key that is pinned here."
        raise Refused("signature_bad", say)
