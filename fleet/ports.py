"""What the controller asks of a gateway, and what it gets back. No Django, no I/O.

The verbs are those of docs/ocgate-protocol.md. `fleet.gateways.ssh` speaks them to a real gateway,
`fleet.gateways.memory` keeps them in memory; the same tests ask both. Every verb raises RetryLater
(no answer) or GiveUp (the answer is no).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from fleet.bundles import Download
from fleet.inventory import Inventory
from fleet.measured import SlotMetrics as SlotMetrics
from fleet.steered import Drain as Drain
from fleet.steered import Left as Left
from fleet.steered import Replaced as Replaced
from fleet.steered import Replacement as Replacement
from fleet.steered import Restored as Restored
from fleet.steered import Retired as Retired
from fleet.steered import Shifted as Shifted
from fleet.steered import Weights as Weights

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total) while something takes long."""


Signatures = Sequence[tuple[str, str]]
"""(file name, text) of each signature over a statement: alice.sig by an approver, statement.asc or .p7s by a signer."""


@dataclass(frozen=True)
class Statement:
    """A canonical JSON text that people signed with keys of their own (fleet/ocgate/statement.py)."""

    text: str
    signatures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReleaseFiles:
    """What a gateway needs to take a release: the exact texts that were signed, and the bundle's file."""

    release: str
    digest: str  # SHA-256 of manifest.json, lower-case hex
    manifest: str
    sums: str
    changelog: str
    signatures: tuple[tuple[str, str], ...]  # (file name, text)
    bundle: Path
    size: int  # bytes
    sha256: str
    statements: tuple[Statement, ...] = ()  # of kind "downgrade"
    tree: str = ""  # of what the bundle unpacks to
    download: Download | None = None  # None: the bundle's bytes are sent
    mend: bool = False  # put back what differs in a release that is there already


@dataclass(frozen=True)
class SlotFacts:
    slot: int
    state: Literal["idle", "starting", "serving", "draining", "failed", "adopted"]
    release: str = ""
    version: str = ""
    pid: int = 0
    sessions: int = 0
    weight: int = 0
    since: float = 0.0
    restarts: int = 0
    conf: str = ""  # SHA-256 of the operator's configuration that it runs with


@dataclass(frozen=True)
class SlotRelease:
    slot: int
    release: str


@dataclass(frozen=True)
class Trial:
    weights: Weights
    until: float  # the gateway's clock, epoch seconds


@dataclass(frozen=True)
class Facts:
    """A gateway as it says it is. Unknown fields of a newer ocgate are dropped; `raw` keeps the whole answer."""

    ocgate: str
    hostname: str
    now: float  # the gateway's clock, epoch seconds
    boot_id: str
    fence: int
    committed: SlotRelease | None
    previous: SlotRelease | None
    trial: Trial | None
    weights: Weights
    slots: tuple[SlotFacts, ...]
    releases: Mapping[str, str]  # release → digest
    disk_free: int  # bytes
    conf_changed: bool
    agreed_conf: str = ""  # SHA-256; "" from an ocgate that does not say
    steers: bool = True  # nft works there; else releases are replaced in place
    steers_why: str = ""  # why not
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Staged:
    release: str
    digest: str
    version: str
    already: bool


@dataclass(frozen=True)
class Finding:
    level: Literal["error", "warning", "note"]
    code: str
    say: str


@dataclass(frozen=True)
class Checked:
    ok: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Started:
    slot: int
    release: str
    version: str
    pid: int
    ready_ms: int
    already: bool


@dataclass(frozen=True)
class Probed:
    """One synthetic login on a slot. `stage` says how far it came; 'done' is success."""

    slot: int
    ok: bool
    stage: str
    handshake_ms: float
    login_ms: float
    say: str


@dataclass(frozen=True)
class Session:
    """One connected user. `id` is ocserv's `Full session`: stable across reconnects with the cookie."""

    slot: int
    id: str
    user: str
    remote: str
    since: float
    vpn_ip: str = ""


@dataclass(frozen=True)
class Archive:
    data: bytes  # tar.gz
    sha256: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Configured:
    """A configuration that the gateway keeps, against the agreed one: what differs, and how it would take effect."""

    sha256: str
    already: bool
    changed: tuple[str, ...]
    way: Literal["none", "reload", "restart"]


@dataclass(frozen=True)
class Trusted:
    """What the gateway's trust folder is now."""

    serial: int
    sha256: str
    already: bool


@dataclass(frozen=True)
class Program:
    """A new ocgate for `upgrade_self`."""

    path: Path
    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class Upgraded:
    version: str
    sha256: str
    already: bool


@dataclass(frozen=True)
class Authorized:
    """`sha256` of the whole authorized_keys file, as `inventory` says it from now on."""

    sha256: str
    already: bool


SHORT_ID = 6
"""ocserv's logs name a session by the first six characters of its `Full session`."""


class Gateway(Protocol):
    """One gateway, reached. Verbs that change something carry the fence of the claim that asks; a bool that they return
    says whether it was so already.

    `signed_out` (verb `departures`): short ids of sessions that their own users ended. `conf` and `over` are SHA-256 of
    a configuration that was brought (`configure`), and of an edited ocserv.conf on the host that may stand. `agree`
    writes what was brought to the host, `adopt_conf` takes what is there, `reload` loads it into a slot that runs,
    which goes back by itself after `seconds` (0: never) unless the same is asked again, or `commit`.

    `shift` with `after_ms` is applied so many milliseconds after it came, and answered then; any shift, commit, restore
    or replace that comes meanwhile cancels it (GiveUp `superseded`). `replace` is for gateways that do not steer
    (`Facts.steers`): a trial too, which the gateway itself ends; `restore` there cuts `cut_at_most` users at most, with
    None whoever is on. `message`: what sign-ins on a slot are shown; "" takes it back.
    """

    def facts(self) -> Facts: ...
    def stage(self, files: ReleaseFiles, *, fence: int, progress: Progress) -> Staged: ...
    def check(self, release: str, slot: int, *, conf: str = "", over: str = "") -> Checked: ...
    def start(self, release: str, slot: int, *, conf: str = "", over: str = "", fence: int) -> Started: ...
    def probe(self, slot: int, *, user: str, password: str) -> Probed: ...
    def shift(self, weights: Weights, *, seconds: int, fence: int, after_ms: int = 0) -> Shifted: ...
    def replace(self, wish: Replacement, *, fence: int) -> Replaced: ...
    def commit(self, slot: int, *, fence: int) -> bool: ...
    def drain(self, slot: int, *, names: bool = False) -> Drain: ...
    def message(self, slot: int, text: str, *, fence: int) -> bool: ...
    def sessions(self) -> Sequence[Session]: ...
    def signed_out(self) -> frozenset[str]: ...
    def retire(self, slot: int, *, cut_at_most: int, fence: int) -> Retired: ...
    def restore(
        self, to: Literal["committed", "previous"], *, fence: int, cut_at_most: int | None = None
    ) -> Restored: ...
    def snapshot(self) -> Archive: ...
    def metrics(self, *, probes: Collection[str] = ()) -> Sequence[SlotMetrics]: ...
    def configure(self, conf: str, *, statement: Statement | None = None, fence: int) -> Configured: ...
    def agree(self, conf: str, *, fence: int) -> bool: ...
    def adopt_conf(self, sha256: str, *, fence: int) -> bool: ...
    def reload(self, slot: int, conf: str, *, seconds: int = 0, fence: int) -> bool: ...
    def inventory(self) -> Inventory: ...
    def trust(self, statement: str, signatures: Signatures, *, fence: int) -> Trusted: ...
    def crl(self, crl: str, *, fence: int) -> Trusted: ...
    def upgrade_self(self, program: Program, *, statement: Statement, fence: int) -> Upgraded: ...
    def authorize(self, keys: Sequence[str], *, statement: Statement, fence: int) -> Authorized: ...
    def close(self) -> None: ...
