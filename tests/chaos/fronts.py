"""Balancers in memory before some gateways: they choose the slot, or keep new users away while it is exchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from django.db import connection

from fleet.gateways.machine import Machine, Slot
from fleet.models import Balancer, BalancerPeer, Gateway, Pool
from fleet.ports import Session
from fleet.traffic.memory import MemoryPeer
from fleet.traffic.ports import WHOLE, Admin, Peer, Want
from fleet.traffic.ports import Slot as Number

T = TypeVar("T")
Clock = Callable[[], float]  # epoch seconds
PEERS = ("lb-1", "lb-2")
SERVERS: dict[str, dict[str, str]] = {
    "in_place behind": {"": "gw"},
    "proxy": {"1": "gw-1", "2": "gw-2", "3": "gw-3"},
}
"""How a pool's gateways stand behind its balancer; pools of other kinds have none."""
WAYS = ("handover",) * 5 + ("in_place", *SERVERS)


class ChaosPeer(MemoryPeer):
    """One balancer before one gateway. A restart begins with its server-state-file: what was set for good stays."""

    def __init__(self, name: str, front: Front, *, clock: Clock) -> None:
        self.front = front
        self.odd = PEERS.index(name)
        super().__init__(name, {slot: 100 if slot < 2 else 0 for slot in front.slots}, clock=clock)

    def restart(self) -> None:
        if not self.servers:
            super().restart()
        elif self._trial:
            for slot, (admin, weight) in self._trial.back.items():
                self.servers[slot] = replace(self.servers[slot], admin=admin, weight=weight)
            self._trial = None

    def look(self) -> Peer:
        self.front.asked(f"look of {self.name}", weight=1)
        for slot, server in self.servers.items():
            server.sessions = len(self._through(slot))
        return super().look()

    def set(self, wants: Mapping[Number, Want], *, seconds: int, fence: int) -> None:
        self.front.asked(f"set of {self.name}")
        super().set(wants, seconds=seconds, fence=fence)
        self.front.asked(f"after set of {self.name}")

    def by_hand(self, weight: int) -> None:
        """Somebody who is not us sets the first server."""
        first = min(self.servers)
        self.servers[first] = replace(self.servers[first], weight=weight)

    def as_the_other(self) -> None:
        """Somebody sets this peer to what the other one has for good."""
        other = next(peer for peer in self.front.peers.values() if peer is not self)
        for slot, server in other.servers.items():
            admin, weight = other.trial_back.get(slot, (server.admin, server.weight))
            self.servers[slot] = replace(self.servers[slot], admin=admin, weight=weight)
        self._trial = None

    @property
    def trial_back(self) -> Mapping[Number, tuple[Admin, int]]:
        return self._trial.back if self._trial else {}

    @property
    def on_trial(self) -> bool:
        return self._trial is not None

    def goes_to(self, mark: int) -> Number | None:
        """Where a new user with this mark of 0 to 99 is sent; None: nowhere."""
        self.go_back()
        open_to = [(slot, server.weight) for slot, server in self.servers.items() if server.admin == "ready"]
        mark = mark * sum(weight for _, weight in open_to) // 100
        for slot, weight in sorted(open_to):
            mark -= weight
            if mark < 0:
                return slot
        return None

    def go_back(self) -> None:
        """End a trial whose time is over; it does so by itself, whether it answers us or not."""
        answers, self.answers = self.answers, True
        self._awake()
        self.answers = answers

    def _through(self, slot: Number) -> list[Session]:
        machine = self.front.machine
        here = machine.sessions() if slot == WHOLE else machine.on_slot(slot)
        return [session for session in here if mark_of(session.remote) % len(PEERS) == self.odd]


class Front:
    """Both balancers before one gateway. `point(where)` is where the process that asks may end."""

    def __init__(self, machine: Machine, kind: str, *, clock: Clock, point: Callable[..., None]) -> None:
        self.machine, self.point = machine, point
        self.slots = [int(slot or WHOLE) for slot in SERVERS[kind]]
        self.broken: list[str] = []
        self.peers = {name: ChaosPeer(name, self, clock=clock) for name in PEERS}
        self._sign_in = machine.sign_in
        machine.sign_in = self.knock  # type: ignore[method-assign]  # users come through the balancer
        if kind == "proxy":
            machine._steer = self.slot_for  # type: ignore[method-assign]

    def asked(self, where: str, *, weight: int = 10) -> None:
        if connection.in_atomic_block:
            self.broken.append(f"{where} before {self.machine.name} was asked inside a transaction")
        self.point(f"{where} before {self.machine.name}", weight=weight)

    def knock(self, at: float, *, id: str, user: str, remote: str) -> Session | None:
        """Who is sent nowhere comes again; no gateway hears of it."""
        if self.sent(remote) is None:
            return None
        return self._sign_in(at, id=id, user=user, remote=remote)

    def slot_for(self, remote: str) -> Slot | None:
        number = self.sent(remote)
        if number is None:
            return None
        self.machine.slots[number].steered = True
        return self.machine.slots[number]

    def sent(self, remote: str) -> Number | None:
        mark = mark_of(remote)
        return self.peers[PEERS[mark % len(PEERS)]].goes_to(mark)

    def strayed(self, committed: Number) -> list[str]:
        """What these balancers do wrong when all is over, as sentences."""
        wanted = WHOLE if WHOLE in self.slots else committed
        said = []
        for peer in self.peers.values():
            peer.go_back()
            takes = [slot for slot, server in peer.servers.items() if server.admin == "ready" and server.weight]
            if takes != [wanted] or peer.on_trial:
                said.append(f"{peer.name} sends users of {self.machine.name} to {takes}, and {committed} is committed")
        return said


def stand(pool: Pool, machine: Machine, *, kind: str, clock: Clock, point: Callable[..., None]) -> Front | None:
    """Put a gateway behind its pool's balancer, where it has one; a gateway of the kind in_place can't steer."""
    if kind.startswith("in_place"):
        machine.faults.no_nft = True
    if kind not in SERVERS:
        return None
    balancer, fresh = Balancer.objects.get_or_create(name=f"front-{pool.name}", pool=pool, kind="memory")
    if fresh:
        about = {"key_kind": "ssh-ed25519", "key": "AAAA"}
        BalancerPeer.objects.bulk_create(BalancerPeer(balancer=balancer, name=n, address=n, **about) for n in PEERS)
    Gateway.objects.filter(name=machine.name).update(front=balancer, backend="vpn", servers=SERVERS[kind])
    return Front(machine, kind, clock=clock, point=point)


def mark_of(remote: str) -> int:
    """0 to 99, always the same for a client."""
    return int.from_bytes(hashlib.sha256(remote.encode()).digest()[:4], "big") % 100


class OneByOne:
    """Takes the place of the threads that ask all peers at once: a process may end between two of them."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def submit(self, act: Callable[..., T], *args: Any) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(act(*args))
        except Exception as failure:
            done.set_exception(failure)
        return done
