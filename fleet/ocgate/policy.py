"""/etc/ocgate/trust: who may sign releases and who may approve, as pinned at enrolment. Fails closed.

policy.json, format 2 (format 1 had threshold and openpgp only, and is still read):

    {"format":2,"serial":3,"gateway":"fra-gw-01","threshold":2,"group":"release",
     "openpgp":[{"fingerprint":"…40 hex…","group":"release"}],
     "cas":[{"file":"ca-1.pem","crl":"ca-1.crl","group":"release"}],
     "approvers":{"needed":1,"keys":[{"name":"alice","key":"ssh-ed25519 AAAA…"},
                                     {"name":"alice-2","key":"ssh-ed25519 AAAB…","person":"alice"}]}}

`group` is the one whose signers count; "" counts all. Beside it: openpgp.gpg, a binary keyring for gpgv, and the files
of the CAs, the root first.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from .errors import Refused

FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
GROUP = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
CA_FILE = re.compile(r"ca-[0-9]{1,2}\.(pem|crl)")
# ssh-keygen takes the name for a pattern: nothing in it may be one.
APPROVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,76}")
APPROVER_KEY = re.compile(
    r"(?:ssh-ed25519|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com|ssh-rsa) [A-Za-z0-9+/]+={0,3}"
)
GATEWAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,80}")


@dataclass(frozen=True)
class Ca:
    """A pinned company CA: names of files in the trust folder."""

    file: str
    crl: str
    group: str


@dataclass(frozen=True)
class Approvers:
    """Who may approve what only people may say: name → public SSH key, and how many of them it takes.

    `people`: name → whose key it is. One person with two keys is one.
    """

    needed: int = 1
    keys: Mapping[str, str] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """Threshold (≥ 1) of distinct signers of `group`; `openpgp` maps primary fingerprints to their group."""

    threshold: int
    openpgp: Mapping[str, str]
    cas: Tuple[Ca, ...] = ()
    group: str = ""
    approvers: Approvers = field(default_factory=Approvers)
    serial: int = 0
    gateway: str = ""

    def counts(self, group: str) -> bool:
        """Do signers of this group count towards the threshold?"""
        return self.group in ("", group)


def read(trust: Path) -> Policy:
    """policy.json; anything odd in it is a rule that says no."""
    try:
        policy = parse(json.loads((trust / "policy.json").read_text(), object_pairs_hook=once))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        say = f"The trust policy {trust / 'policy.json'} can't be used ({failure}); nothing is installed until then."
        raise Refused("policy_bad", say) from failure
    return policy


def parse(raw: Any) -> Policy:
    """Build a Policy; ValueError when it could let an unsigned release through. Pure but for the host's name."""
    if raw.get("format", 1) not in (1, 2):
        raise ValueError(f"its format {raw['format']!r} is unknown")
    policy = Policy(
        threshold=number(raw["threshold"], "threshold", least=1),
        openpgp=dict(_signer(row) for row in _rows(raw, "openpgp")),
        cas=tuple(_ca(row) for row in _rows(raw, "cas")) if "cas" in raw else (),
        group=group_of(raw["group"]) if raw.get("group") else "",
        approvers=approvers(raw["approvers"]) if "approvers" in raw else Approvers(),
        serial=number(raw.get("serial", 0), "serial", least=0),
        gateway=shaped(raw["gateway"], GATEWAY, "gateway") if raw.get("gateway") else socket.gethostname(),
    )
    if len(policy.openpgp) != len(_rows(raw, "openpgp")):
        raise ValueError("a fingerprint is named twice")
    _refuse_out_of_reach(policy)
    return policy


def approvers(raw: Any) -> Approvers:
    """Approvers by name; no key may stand under two names. ValueError. Pure."""
    rows = _rows(raw, "keys")
    keys = {shaped(row["name"], APPROVER, "name"): shaped(row["key"], APPROVER_KEY, "key") for row in rows}
    if len(keys) != len(rows) or len(set(keys.values())) != len(keys):
        raise ValueError("an approver or a key is named twice")
    needed = number(raw.get("needed", 1), "needed", least=1)
    people = {row["name"]: shaped(row.get("person", row["name"]), APPROVER, "person") for row in rows}
    if keys and needed > len(set(people.values())):
        raise ValueError(f"{needed} approvers can't be had from {len(set(people.values()))}")
    return Approvers(needed, keys, people)


def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """For json: two readers of a doubled field may see two different texts, so it is no text. Pure."""
    names = [name for name, _ in pairs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"the field {doubled[0][:40]!r} stands there twice")
    return dict(pairs)


def sha256_of(trust: Path) -> str:
    """One hash over the whole folder: names and contents. What cannot be read counts as empty."""
    found = hashlib.sha256()
    for path in sorted(trust.iterdir()) if trust.is_dir() else []:
        if path.is_file():
            found.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def number(value: Any, name: str, *, least: int) -> int:
    """A whole number from `least` on; true is none. ValueError. Pure."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number, {least} or more")
    return value


def shaped(value: Any, pattern: "re.Pattern[str]", name: str) -> str:
    """A text of that shape. ValueError. Pure."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(f"{name} {str(value)[:60]!r} can't be used")
    return value


def group_of(value: Any) -> str:
    """The name of a group of signers. ValueError. Pure."""
    return shaped(value, GROUP, "group")


def _refuse_out_of_reach(policy: Policy) -> None:
    counting = [name for name, group in policy.openpgp.items() if policy.counts(group)]
    # A CA may give certificates to any number of people.
    if len(counting) < policy.threshold and not any(policy.counts(ca.group) for ca in policy.cas):
        raise ValueError(f"threshold {policy.threshold} can't be met by {len(counting)} keys")


def _signer(row: Any) -> Tuple[str, str]:
    if isinstance(row, str):
        row = {"fingerprint": row}
    fingerprint = str(row["fingerprint"]).replace(" ", "").upper()
    if FINGERPRINT.fullmatch(fingerprint) is None:
        raise ValueError("a fingerprint has 40 or 64 hexadecimal digits")
    return fingerprint, group_of(row.get("group", "release"))


def _ca(row: Any) -> Ca:
    files = [shaped(row[name], CA_FILE, name) for name in ("file", "crl")]
    return Ca(files[0], files[1], group_of(row.get("group", "release")))


def _rows(raw: Any, name: str) -> List[Any]:
    rows = raw[name]
    if not isinstance(rows, list) or len(rows) > 64:
        raise ValueError(f"{name} must be a list of at most 64")
    return rows
