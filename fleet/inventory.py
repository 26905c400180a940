"""What a gateway holds, as its `inventory` says: what drift is looked for in. No Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PinnedCa:
    """A company CA whose codeSigning certificates count there. `crl_next_update`: ISO 8601, "" without a CRL."""

    subject: str
    sha256: str  # of the root's DER, upper-case hex
    crl_next_update: str = ""


@dataclass(frozen=True)
class Pinned:
    """/etc/ocgate/trust: who may sign for this gateway. `serial` is that of the last `trust` statement, 0 at first."""

    serial: int
    sha256: str  # of the whole folder
    threshold: int
    signers: tuple[str, ...] = ()  # OpenPGP primary fingerprints, upper-case hex
    cas: tuple[PinnedCa, ...] = ()
    approvers: tuple[str, ...] = ()  # "SHA256:…" of their SSH keys


@dataclass(frozen=True)
class ConfFile:
    """The operator's ocserv.conf on the host, and how it differs from what was agreed (unified, secrets masked)."""

    path: str
    sha256: str
    agreed_sha256: str
    diff: str = ""


@dataclass(frozen=True)
class HeldRelease:
    """An unpacked release. `tree` is the hash over its files as they lie there now; `digest` that of its manifest."""

    release: str
    digest: str
    tree: str
    counter: int = 0


@dataclass(frozen=True)
class SlotProgram:
    """What really runs in a slot. `exe_deleted`: the file was replaced or removed under the running process."""

    slot: int
    release: str
    version: str
    exe: str
    exe_deleted: bool = False


@dataclass(frozen=True)
class Login:
    """Somebody was signed in on the host. Epoch seconds; `until` 0 while he still is."""

    user: str
    remote: str
    at: float
    until: float = 0.0


@dataclass(frozen=True)
class Inventory:
    """The whole answer. `raw` keeps it as it came, for the row."""

    at: float
    ocgate_version: str
    ocgate_sha256: str
    trust: Pinned
    conf: ConfFile
    releases: tuple[HeldRelease, ...]
    slots: tuple[SlotProgram, ...]
    authorized_keys_sha256: str
    counter: int  # the highest that was ever committed there
    logins: tuple[Login, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
