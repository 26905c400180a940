"""What a simulated gateway holds besides releases and users: its ocgate, pinned keys, ocserv.conf, files. Pure.

A test makes drift by changing it: `machine.holdings.conf += "…"`, `machine.holdings.trees["1.3.0-2"] = "…"`.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

CONF_PATH = "/etc/ocserv/ocserv.conf"
CONF = """auth = "plain[passwd=/etc/ocserv/ocpasswd]"
tcp-port = 443
udp-port = 443
run-as-user = nobody
run-as-group = daemon
server-cert = /etc/ocserv/server.pem
server-key = /etc/ocserv/server.key
max-clients = 1024
max-same-clients = 2
keepalive = 300
dpd = 60
ipv4-network = 10.10.0.0/22
dns = 192.0.2.53
route = default
"""


def sha256_of(text: str) -> str:
    """Lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Pins:
    """The trust folder. `signers` are OpenPGP fingerprints, `approvers` fingerprints of SSH keys."""

    serial: int = 0
    threshold: int = 1
    signers: list[str] = field(default_factory=lambda: ["A" * 40])
    cas: list[dict[str, str]] = field(default_factory=list)  # subject, sha256, crl_next_update
    approvers: list[str] = field(default_factory=list)
    needed: int = 1

    @property
    def sha256(self) -> str:
        return sha256_of(repr(sorted(asdict(self).items())))


@dataclass
class Holdings:
    """Everything may be changed while the gateway lives; `conf` is what the host has, `agreed` what was agreed."""

    ocgate_version: str = "simulated"
    ocgate_sha256: str = field(default_factory=lambda: sha256_of("ocgate"))
    self_serial: int = 0
    conf: str = CONF
    agreed: str = CONF
    confs: dict[str, str] = field(default_factory=dict)  # SHA-256 → text of each that was brought or agreed
    words: list[str] = field(default_factory=list)  # those that approvers signed
    agreed_before: list[str] = field(default_factory=list)
    previous_conf: str = ""  # agreed until the commit that brought another
    pins: Pins = field(default_factory=Pins)
    trees: dict[str, str] = field(default_factory=dict)  # release → tree
    counters: dict[str, int] = field(default_factory=dict)  # release → its manifest's counter
    ran: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)  # digests that may come although they are lower
    counter: int = 0  # the highest that was ever committed
    authorized_keys: list[str] = field(default_factory=lambda: ["ssh-ed25519 AAAA controller"])
    exe_deleted: list[int] = field(default_factory=list)  # slots whose program was replaced under them
    logins: list[dict[str, Any]] = field(default_factory=list)  # user, from, at, until

    @property
    def authorized_keys_sha256(self) -> str:
        return sha256_of("".join(key + "\n" for key in self.authorized_keys))

    def dump(self) -> dict[str, Any]:
        """All of it, as data for JSON."""
        return asdict(self)

    @classmethod
    def load(cls, raw: dict[str, Any]) -> Holdings:
        """The reverse; what an older process did not write takes its default."""
        return cls(**{**raw, "pins": Pins(**raw.get("pins", {}))})
