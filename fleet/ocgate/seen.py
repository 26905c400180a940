"""What two looks at a slot tell: who came, who came again, who left; what was sent again. Pure.

ocserv's `Full session` is stable over reconnects and its worker is not (reference, section 3). The first look after
these notes were lost counts nothing: those who are there already did not just come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from .channels import Channel, grown
from .occtl import Session
from .slotlog import Log


@dataclass
class Seen:
    """Notes of one slot. Everything goes through JSON."""

    log: Log = field(default_factory=Log)
    began: bool = False
    workers: Dict[str, int] = field(default_factory=dict)  # session → worker
    segments: Dict[str, List[int]] = field(default_factory=dict)  # peer → [sent, sent again]
    arrivals: int = 0
    reconnects: int = 0
    departures: int = 0
    sent: int = 0
    again: int = 0
    shook_at: float = 0.0
    handshake_ms: Optional[float] = None

    @classmethod
    def load(cls, raw: Dict[str, Any]) -> "Seen":
        """From JSON. An older ocgate kept three counts of a log that was emptied: they are where this one begins."""
        if "log" not in raw:
            logins, failures, errors = (int(raw.get(name, 0)) for name in ("logins", "failures", "errors"))
            return cls(log=Log(logins=logins, failures=failures, errors=errors, refused=failures, lost=failures))
        names = ("began", "workers", "segments", "arrivals", "reconnects", "departures", "sent", "again", "shook_at")
        known = {name: raw[name] for name in (*names, "handshake_ms") if name in raw}
        return cls(log=Log.load(raw["log"]), **known)

    def dump(self) -> Dict[str, Any]:
        return {**vars(self), "log": self.log.dump()}

    def look(self, users: List[Session], found: List[Channel]) -> None:
        """Hold what is there now against what was there."""
        now = {user.id: user.worker for user in users if user.id}
        if self.began:
            self.arrivals += len(now.keys() - self.workers.keys())
            self.departures += len(self.workers.keys() - now.keys())
            both = now.keys() & self.workers.keys()
            self.reconnects += sum(now[id] != self.workers[id] for id in both)
            sent, again = grown(self.segments, found)
            self.sent, self.again = self.sent + sent, self.again + again
        self.began, self.workers = True, now
        self.segments = {one.peer: [one.sent, one.again] for one in found}

    def counts(self) -> Dict[str, Any]:
        """As `metrics` tells them: counters that only grow, but for a slot's start."""
        return {
            "logins": self.log.logins,
            "auth_failures": self.log.failures,
            "session_errors": self.log.errors,
            "arrivals": self.arrivals,
            "reconnects": self.reconnects,
            "departures": self.departures,
            "bans": self.log.bans,
            "crashes": sum(self.log.crashes.values()),
            "reasons": self.log.reasons,
            "signals": self.log.crashes,
            "segments": self.sent,
            "retransmitted": self.again,
            "handshake_ms": self.handshake_ms,
        }
