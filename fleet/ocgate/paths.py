"""Where everything lies on a gateway. One value, so that a test can put it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders of docs/ocgate-protocol.md, section "On the gateway"."""

    etc: Path
    lib: Path
    run: Path
    log: Path
    program: Path = Path("/usr/lib/ocgate/ocgate")

    @property
    def config(self) -> Path:
        return self.etc / "config.json"

    @property
    def trust(self) -> Path:
        return self.etc / "trust"

    @property
    def state(self) -> Path:
        return self.lib / "state.json"

    @property
    def spare(self) -> Path:
        """Room kept for the day when the disk is full: a rollback must be able to write down what it did."""
        return self.lib / "spare"

    @property
    def agreed_conf(self) -> Path:
        """The operator's ocserv.conf as it was agreed; slots are derived from this copy."""
        return self.lib / "ocserv.conf.agreed"

    @property
    def confs(self) -> Path:
        return self.lib / "confs"

    def conf(self, sha256: str) -> Path:
        """A configuration that the controller brought, by its SHA-256; the agreed ones are kept there too."""
        return self.confs / f"{sha256}.conf"

    def conf_word(self, sha256: str) -> Path:
        """Who approved it, where more than one person had to."""
        return self.confs / f"{sha256}.json"

    @property
    def events(self) -> Path:
        return self.lib / "events.jsonl"

    @property
    def releases(self) -> Path:
        return self.lib / "releases"

    @property
    def incoming(self) -> Path:
        return self.lib / "incoming"

    @property
    def learnt(self) -> Path:
        return self.run / "learnt.json"

    def release(self, name: str) -> Path:
        return self.releases / name

    def slot_conf(self, slot: int) -> Path:
        return self.lib / "slots" / str(slot) / "ocserv.conf"

    def slot_conf_before(self, slot: int) -> Path:
        """What the slot ran with before a reload that is on trial."""
        return self.lib / "slots" / str(slot) / "ocserv.conf.before"

    def slot_run(self, slot: int) -> Path:
        return self.run / str(slot)

    def slot_tally(self, slot: int) -> Path:
        """What was counted in parts of the slot's log that were rotated away."""
        return self.run / f"tally-{slot}.json"

    @property
    def probes(self) -> Path:
        """Where probe hosts come from, as the controller said last."""
        return self.run / "probes.json"

    def slot_log(self, slot: int) -> Path:
        return self.log.parent / f"ocgate-slot-{slot}.log"


SYSTEM = Paths(
    etc=Path("/etc/ocgate"),
    lib=Path("/var/lib/ocgate"),
    run=Path("/run/ocgate"),
    log=Path("/var/log/ocgate.log"),
)
