"""What a slot's log says, counted as it grows; the counts outlive the program that made them (pure but for `read`).

Facts, seen on 1.1.6, 1.3.0 and 1.5.0 (tests/unit/ocgate/recorded/metrics): a wrong password leaves "failed
authentication for" only when ocserv gives up on the connection, after three tries; who closes it earlier leaves a
session that was begun ("using 'plain' authentication … (session: S)") and never initiated. A worker that crashes
mostly leaves no "died with" line (main sees its socket end first) but a session that sec-mod closes and main never
says "user disconnected" for. No line has a time, so the time of a line is that of the look that found it.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Tuple

LOGIN = re.compile(r"\bmain\[[^\]]*\]:(\S+):\d+ user logged in")
FAILED = re.compile(r"worker\[?[^\]]*\]?: (\S+) .*failed authentication (?:attempt )?for ")
BEGUN = re.compile(r"sec-mod: using '.*' authentication to authenticate user \(session: (\S+?)\)")
OPENED = re.compile(r"sec-mod: initiating session for user '(.+?)' \(session: (\S+?)\)")
CLOSED = re.compile(
    r"sec-mod: (?:invalidating session of user '(.+?)'|temporarily closing session for (.+?)) \(session: (\S+?)\)"
)
ENDED = re.compile(r"\bmain\[([^\]]*)\]:(\S+) user disconnected \(reason: ([^,)]+)")
# Who comes back while his old connection still stands: that one is ended, and its session is not.
REUSED = re.compile(r"\bmain\[[^\]]*\]:(\S+) disconnecting previous user session")
DIED = re.compile(r"(?:Child|Sec-mod) \d+ died with (sigsegv|sigsys|signal \d+)|ocserv-secmod died (unexpectedly)")
BANNED = re.compile(r"main: added IP '(\S+)' \(with score ")
FRESH = re.compile(r"main: initialized \S")
# A worker that speaks for itself on standard error did not get as far as ocserv's log.
NO_WORKER = re.compile(r"^ocserv-worker: |error while loading shared libraries|exec .* failed")
COOKIE = "failed cookie authentication"
BAD_REASONS = ("unspecified", "DPD timeout")  # how the reasons of session errors begin
TRY_SECONDS = 15.0  # who has not signed in so long after the form has given up, or still types: counted as failed
PAIR_SECONDS = 6.0  # sec-mod and main write on their own: one may be a look later than the other
REASONS_MOST = 16
PENDING_MOST = 10_000
REUSED_MOST = 100  # ocserv 1.1.6 says nothing more of most of them


@dataclass
class Log:
    """Counts of one slot's log, and what the next lines are held against. Everything goes through JSON."""

    inode: int = 0
    offset: int = 0
    logins: int = 0
    failures: int = 0
    errors: int = 0
    bans: int = 0
    refused: int = 0  # by an explicit line, users only
    refused_ours: int = 0
    lost: int = 0  # begun and never initiated
    reasons: Dict[str, int] = field(default_factory=dict)  # of sessions that ended, and of what went wrong
    crashes: Dict[str, int] = field(default_factory=dict)  # by signal, "unknown" where none was said
    begun: Dict[str, float] = field(default_factory=dict)  # session → when
    open: Dict[str, str] = field(default_factory=dict)  # session → user
    closed: List[Tuple[str, float]] = field(default_factory=list)  # (user, when), not explained yet
    ended: List[Tuple[str, float]] = field(default_factory=list)
    reused: List[str] = field(default_factory=list)  # address and port of connections whose session goes on elsewhere
    died: int = 0  # crashes with a line of their own whose session has not been seen to close yet

    @classmethod
    def load(cls, raw: Dict[str, Any]) -> "Log":
        """From JSON; what an older or newer ocgate wrote otherwise begins anew."""
        known = {one.name for one in fields(cls)}
        log = cls(**{name: value for name, value in raw.items() if name in known})
        log.closed = [(str(user), float(at)) for user, at in log.closed]
        log.ended = [(str(user), float(at)) for user, at in log.ended]
        return log

    def dump(self) -> Dict[str, Any]:
        return asdict(self)

    def read(self, path: Path, *, ours: FrozenSet[str], now: float) -> None:
        """Count what was added; a new or shortened file from its beginning. `ours`: addresses that probes come from."""
        try:
            with path.open("rb") as log:
                found = os.fstat(log.fileno())
                if found.st_ino != self.inode or found.st_size < self.offset:
                    self.inode, self.offset = found.st_ino, 0
                log.seek(self.offset)
                for raw in log:
                    if not raw.endswith(b"\n"):
                        break
                    self.offset += len(raw)
                    self.line(raw.decode("utf-8", "replace"), ours=ours, now=now)
        except OSError:
            pass
        self.settle(now)

    def line(self, text: str, *, ours: FrozenSet[str], now: float) -> None:
        """Count one line."""
        if "sec-mod: " in text:
            self._session(text, now)
        elif login := LOGIN.search(text):
            # Our own probes are no traffic: a slot that only they use must show as one without evidence.
            self.logins += login.group(1) not in ours
        elif failed := FAILED.search(text):
            self.refused += failed.group(1) not in ours
            self.refused_ours += failed.group(1) in ours
        elif ended := ENDED.search(text):
            self._ended(ended.group(1), ended.group(2), reason=ended.group(3), now=now)
        else:
            self._rare(text, ours)

    def _session(self, text: str, now: float) -> None:
        if begun := BEGUN.search(text):
            _put(self.begun, begun.group(1), now)
        elif opened := OPENED.search(text):
            self.begun.pop(opened.group(2), None)
            _put(self.open, opened.group(2), opened.group(1))
        elif closed := CLOSED.search(text):
            # One that was closed for a while and expires is closed a second time: nobody left then.
            user = self.open.pop(closed.group(3), None)
            if user is not None:
                self.closed.append((user, now))

    def _ended(self, user: str, address: str, *, reason: str, now: float) -> None:
        self._reason(reason, bad=reason.startswith(BAD_REASONS))
        if address in self.reused:
            self.reused.remove(address)
        else:
            self.ended.append((user, now))

    def _rare(self, text: str, ours: FrozenSet[str]) -> None:
        if reused := REUSED.search(text):
            self.reused = [*self.reused, reused.group(1)][-REUSED_MOST:]
        elif died := DIED.search(text):
            self._crash((died.group(1) or "unknown").upper().replace("SIGNAL ", "SIG"))
            self.died += 1
        elif NO_WORKER.search(text):
            self._reason("worker did not start", bad=True)
        elif COOKIE in text:
            self._reason("cookie refused", bad=True)
        elif banned := BANNED.search(text):
            self.bans += banned.group(1) not in ours
        elif FRESH.search(text):
            self.open, self.closed, self.ended, self.died = {}, [], [], 0

    def settle(self, now: float) -> None:
        """Draw the conclusions from what did not come."""
        given_up = [id for id, at in self.begun.items() if now - at > TRY_SECONDS]
        for id in given_up:
            del self.begun[id]
        self.lost += len(given_up)
        # Who was refused by name is lost, too: the greater of the two counts both once. It never falls.
        self.failures = max(self.failures, self.refused, self.lost - self.refused_ours)
        self._pair()
        for _ in [at for _, at in self.closed if now - at > PAIR_SECONDS]:
            if self.died:
                self.died -= 1
            else:
                self._crash("unknown")
        self.closed = [one for one in self.closed if now - one[1] <= PAIR_SECONDS]
        self.ended = [one for one in self.ended if now - one[1] <= PAIR_SECONDS]

    def _pair(self) -> None:
        waiting = list(self.closed)
        self.closed = []
        for user, at in waiting:
            end = next((one for one in self.ended if one[0] == user), None)
            if end is None:
                self.closed.append((user, at))
            else:
                self.ended.remove(end)

    def _crash(self, signal: str) -> None:
        self.crashes[signal] = self.crashes.get(signal, 0) + 1
        self._reason("crash", bad=True)

    def _reason(self, reason: str, *, bad: bool) -> None:
        name = reason if reason in self.reasons or len(self.reasons) < REASONS_MOST else "other"
        self.reasons[name] = self.reasons.get(name, 0) + 1
        self.errors += bad


def _put(known: Dict[str, Any], id: str, value: Any) -> None:
    while len(known) >= PENDING_MOST:
        del known[next(iter(known))]
    known[id] = value
