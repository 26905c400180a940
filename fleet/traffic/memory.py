"""A balancer in memory: the driver of tests and of simulated fleets. No Django, no I/O."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from fleet.errors import GiveUp, RetryLater
from fleet.traffic.ports import Admin, Peer, Server, Slot, Want


@dataclass
class MemoryServer:
    name: str
    admin: Admin = "ready"
    up: bool = True
    weight: int = 100
    sessions: int = 0
    stuck: set[str] = field(default_factory=set)  # clients that come here again


@dataclass(frozen=True)
class Trial:
    until: float
    back: Mapping[Slot, tuple[Admin, int]]


class MemoryPeer:
    """One balancer machine with one gateway's servers. What is set is lost at `restart`, as on HAProxy."""

    def __init__(self, name: str, weights: Mapping[Slot, int], *, clock: Callable[[], float] = time.time) -> None:
        self.name = name
        self.answers = True
        self.deaf = False  # says yes and does nothing
        self.beside: Callable[[], int] = lambda: 0  # other gateways' servers that take new users
        self._clock = clock
        self._configured = dict(weights)
        self._lock = threading.RLock()
        self._fence = 0
        self.servers: dict[Slot, MemoryServer] = {}
        self.restart()

    def restart(self) -> None:
        with self._lock:
            self.started = self._clock()
            self._trial: Trial | None = None
            self.servers = {
                slot: MemoryServer(f"gw-{slot}" if slot else "gw", weight=weight)
                for slot, weight in self._configured.items()
            }

    def look(self) -> Peer:
        with self._lock:
            self._awake()
            servers = [
                Server(slot, one.name, one.admin, one.up, one.weight, one.sessions)
                for slot, one in sorted(self.servers.items())
            ]
            until = self._trial.until if self._trial else 0.0
            return Peer(self.name, "memory", self.started, until, tuple(servers), self.beside())

    def set(self, wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> None:
        with self._lock:
            self._claimed(fence)
            if self.deaf:
                return
            before = {slot: (self.servers[slot].admin, self.servers[slot].weight) for slot in wants}
            back = self._trial.back if self._trial else before
            self._trial = Trial(self._clock() + seconds, back) if seconds else None
            for slot, want in wants.items():
                server = self.servers[slot]
                server.admin = want.admin or server.admin
                server.weight = server.weight if want.weight is None else want.weight

    def forget(self, slot: Slot, *, keep: Collection[str], fence: int) -> int:
        with self._lock:
            self._claimed(fence)
            server = self.servers[slot]
            gone = server.stuck - set(keep)
            server.stuck -= gone
            return len(gone)

    def close(self) -> None:
        """Nothing is open."""

    def _claimed(self, fence: int) -> None:
        self._awake()
        if fence < self._fence:
            raise GiveUp(f"{self.name}: a later claim than {fence} was here.", code="fence_too_low")
        self._fence = fence

    def _awake(self) -> None:
        if not self.answers:
            raise RetryLater(f"{self.name} does not answer.", code="unreachable")
        if self._trial and self._clock() >= self._trial.until:
            for slot, (admin, weight) in self._trial.back.items():
                self.servers[slot] = replace(self.servers[slot], admin=admin, weight=weight)
            self._trial = None


def peers(names: Iterable[str], weights: Mapping[Slot, int]) -> list[MemoryPeer]:
    return [MemoryPeer(name, weights) for name in names]
