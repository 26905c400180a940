"""HAProxy as a driver: one door a peer, through hagate over SSH with the pinned host key."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from fleet.errors import GiveUp
from fleet.gateways.dial import ConnectionLost
from fleet.gateways.lines import BadAnswer
from fleet.gateways.session import Kind, Question, Session
from fleet.traffic import runtime
from fleet.traffic.ports import Peer, Server, Slot, Want

KEEP_MOST = 5000  # addresses in one request


class Line(Protocol):
    """Where sessions come from: fleet.gateways.kept.Loan."""

    def take(self) -> tuple[Session, bool]: ...
    def give_back(self) -> None: ...


class HaproxyDoor:
    """One HAProxy. `servers`: the names that the gateway's slots have in the backend."""

    def __init__(self, name: str, line: Line, *, gateway: str, backend: str, servers: Mapping[Slot, str]) -> None:
        self.name = name
        self._line = line
        self._place = {"gateway": gateway, "backend": backend}
        self._servers = dict(servers)

    def look(self) -> Peer:
        said = self._ask("show", {}, fence=None)
        texts = [said.get(name) for name in ("info", "states", "stat")]
        now, until = said.get("now"), said.get("trial_until")
        if not all(isinstance(text, str) for text in texts) or not isinstance(now, float):
            raise BadAnswer(f"{self.name} answered show without its fields.")
        info, states, stat = map(str, texts)
        about = runtime.info(info)
        found = {one.name: one for one in runtime.servers(states, stat, backend=self._place["backend"])}
        servers = [
            Server(slot, name, one.admin, one.up, one.weight, one.sessions)
            for slot, name in sorted(self._servers.items())
            if (one := found.get(name))
        ]
        trial = float(until) if isinstance(until, (int, float)) else 0.0
        mine = set(self._servers.values())
        others = sum(one.takes_new for one in found.values() if one.name not in mine)
        began = now - int(about["Uptime_sec"])
        return Peer(self.name, about.get("Version", ""), began, trial, tuple(servers), others)

    def set(self, wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> None:
        changes = [
            [self._servers[slot], want.admin or "", -1 if want.weight is None else want.weight]
            for slot, want in sorted(wants.items())
        ]
        self._ask("set", {"changes": changes, "seconds": seconds}, fence=fence)

    def forget(self, slot: Slot, *, keep: Collection[str], fence: int) -> int:
        if len(keep) > KEEP_MOST:
            raise GiveUp(f"{len(keep)} clients to keep are too many for one request; {KEEP_MOST} go.", code="too_much")
        said = self._ask("forget", {"server": self._servers[slot], "keep": sorted(keep)}, fence=fence)
        return int(said["forgotten"])

    def close(self) -> None:
        self._line.give_back()

    def _ask(self, verb: str, args: Mapping[str, Any], *, fence: int | None) -> Mapping[str, Any]:
        # A steering question never waits behind a look at the balancer by somebody else.
        kind: Kind = "ask" if fence is None else "steer"
        question = Question(verb, {**self._place, **args}, fence=fence, kind=kind)
        session, fresh = self._line.take()
        try:
            return session.ask(question)
        except ConnectionLost:
            if fresh:
                raise
        # A kept connection may have died since: every verb may be asked twice.
        time.sleep(0.05)
        session, _ = self._line.take()
        return session.ask(question)
