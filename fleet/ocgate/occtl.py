"""occtl's JSON, read tolerantly (pure), and calls of the release's own occtl.

Facts: reference "occtl": 1.1.6 to 1.3.0 print a trailing comma in `show sessions`, doubled keys where there are
no routes, numbers as text; `Connected at` became `Last connected at` and `Session started at` in 1.4.1.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, Optional

from .errors import Retry
from .run import run

TIMEOUT = 3.0
_TRAILING = re.compile(r",(\s*[}\]])")


@dataclass(frozen=True)
class Session:
    """One connected user. `id` is ocserv's `Full session`, stable over reconnects; `since` in epoch seconds or 0."""

    id: str
    user: str
    remote: str
    since: float
    vpn_ip: str
    agent: str
    rx: int
    tx: int
    worker: int
    dtls: bool = False

    @property
    def moved(self) -> int:
        """Bytes both ways, live."""
        return self.rx + self.tx


@dataclass(frozen=True)
class Cookie:
    """One valid session of sec-mod, connected or not."""

    id: str
    user: str
    remote: str
    in_use: bool


@dataclass(frozen=True)
class Control:
    """An occtl and the socket of the instance that it belongs to."""

    program: Path
    socket: Path

    def status(self) -> Optional[Dict[str, Any]]:
        """`show status`, or None when that ocserv does not answer."""
        done = run(self._line("show", "status"), timeout=TIMEOUT)
        raw = loads(done.out) if done.code == 0 else None
        return raw if isinstance(raw, dict) and raw.get("Status") == "online" else None

    def users(self) -> List[Session]:
        """Connected users; raises `not_ready` when that ocserv does not answer."""
        return parse_users(self._ask("show", "users"))

    def cookies(self) -> List[Cookie]:
        """Valid sessions, those in an outage too; raises `not_ready` when that ocserv does not answer."""
        return parse_cookies(self._ask("show", "sessions", "valid"))

    def bans(self, count: int) -> FrozenSet[str]:
        """Addresses that are banned; raises `not_ready` when that ocserv does not answer."""
        return parse_bans(self._ask("show", "ip", "bans"), count=count) if count else frozenset()

    def disconnect(self, worker: int) -> bool:
        """End one connection (its worker's pid), so that RADIUS accounting closes."""
        return (
            run([str(self.program), "-s", str(self.socket), "disconnect", "id", str(worker)], timeout=TIMEOUT).code == 0
        )

    def stop(self) -> bool:
        """Ask the main process to end."""
        return run([str(self.program), "-s", str(self.socket), "stop", "now"], timeout=TIMEOUT).code == 0

    def _ask(self, *words: str) -> Any:
        done = run(self._line(*words), timeout=TIMEOUT)
        if done.code != 0:
            raise Retry(
                "not_ready",
                f"occtl {' '.join(words)} got no answer from {self.socket}: {done.last_line[:200]}.",
            )
        return loads(done.out)

    def _line(self, *words: str) -> List[str]:
        return [str(self.program), "-s", str(self.socket), "-n", "-j", *words]


def loads(text: str) -> Any:
    """Read occtl's JSON, or None when it is none. Text values are kept apart from the repair."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return json.loads(_without_trailing_commas(text))
    except ValueError:
        return None


def _without_trailing_commas(text: str) -> str:
    # Only outside strings: a User-Agent may well hold ",]".
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return "".join(part if part.startswith('"') else _TRAILING.sub(r"\1", part) for part in parts)


def parse_users(raw: Any) -> List[Session]:
    """Connected users of `show users`; workers that have not signed in yet are left out."""
    return [_session(item) for item in _records(raw) if item.get("State") == "connected"]


def parse_cookies(raw: Any) -> List[Cookie]:
    """Sessions of `show sessions valid` that have signed in."""
    found = []
    for item in _records(raw):
        full = str(item.get("Full session") or item.get("Session") or "")
        if full and item.get("State") not in ("pre-auth", "auth failed"):
            used = str(item.get("in_use", "0")).lower() in ("1", "true", "yes")
            found.append(Cookie(full, str(item.get("Username", "")), str(item.get("Remote IP", "")), used))
    return found


def _session(item: Dict[str, Any]) -> Session:
    return Session(
        id=str(item.get("Full session", "")),
        user=str(item.get("Username", "")),
        remote=str(item.get("Remote IP", "")),
        since=_since(item),
        vpn_ip=str(item.get("IPv4") or item.get("IPv6") or ""),
        agent=str(item.get("User-Agent", "")),
        rx=int(_number(item.get("RX"))),
        tx=int(_number(item.get("TX"))),
        worker=int(_number(item.get("ID"))),
        dtls=bool(item.get("DTLS cipher")),
    )


def parse_bans(raw: Any, *, count: int) -> FrozenSet[str]:
    """Addresses of `show ip bans`, at most `count`, the best ones; until 1.3.0 it lists those that have expired, too.

    `count` is "IPs in ban list" of `show status`, which knows better.
    """
    banned = sorted(_records(raw), key=lambda item: str(item.get("Since", "")), reverse=True)
    return frozenset([str(item["IP"]) for item in banned if item.get("IP")][:count])


def _since(item: Dict[str, Any]) -> float:
    exact = _number(item.get("raw_session_started_at") or item.get("raw_connected_at"))
    if exact:
        return exact
    # Before 1.2.3 there is only local time, to the minute.
    try:
        return time.mktime(time.strptime(str(item.get("Connected at", "")), "%Y-%m-%d %H:%M"))
    except ValueError:
        return 0.0


def _records(raw: Any) -> List[Dict[str, Any]]:
    items = raw if isinstance(raw, list) else [raw]
    return [item for item in items if isinstance(item, dict)]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
