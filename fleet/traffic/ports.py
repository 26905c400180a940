"""What the controller asks of the load balancers in front of a gateway. No Django, no I/O. docs/traffic.md.

A gateway stands behind one balancer, which has one peer or several: machines that do the same, side by side. Every verb
sets, then looks whether it is so on every peer; what is so already is left alone. RetryLater: a peer did not answer or
does not show what was set. GiveUp: the answer is no.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Slot = int
"""A slot of the gateway; WHOLE where the balancer knows the gateway as one server."""

WHOLE: Slot = 0

Admin = Literal["ready", "drain", "maint"]
"""What people or the controller set. drain: nobody new, but who belongs there may come back. maint: nobody at all."""


@dataclass(frozen=True)
class Server:
    """One server of one peer, as it is now."""

    slot: Slot
    name: str
    admin: Admin
    up: bool  # by the balancer's own health check; True where it checks nothing
    weight: int  # 0…256; 0 takes nobody new either
    sessions: int  # connections that it holds now

    @property
    def takes_new(self) -> bool:
        return self.admin == "ready" and self.weight > 0


@dataclass(frozen=True)
class Peer:
    """One balancer machine with this gateway's servers. `started`: epoch seconds, so that a restart shows."""

    name: str
    version: str
    started: float
    trial_until: float  # epoch seconds of its clock; 0.0: what is set stays
    servers: tuple[Server, ...]
    others: int = 0  # servers of other gateways in the same backend that are up and take new users

    def server(self, slot: Slot) -> Server | None:
        return next((server for server in self.servers if server.slot == slot), None)


@dataclass(frozen=True)
class Disagreement:
    """Two peers of one balancer that do not do the same."""

    slot: Slot
    say: str


@dataclass(frozen=True)
class Seen:
    """All peers at one moment."""

    peers: tuple[Peer, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(sorted({server.slot for peer in self.peers for server in peer.servers}))

    def sessions(self, slot: Slot | None = None) -> int:
        """Connections to one slot, or to the whole gateway, over all peers."""
        return sum(s.sessions for peer in self.peers for s in peer.servers if slot is None or s.slot == slot)

    def takes_new(self) -> tuple[Slot, ...]:
        """The slots that at least one peer sends new users to."""
        return tuple(sorted({s.slot for peer in self.peers for s in peer.servers if s.takes_new}))

    def on_trial(self) -> bool:
        return any(peer.trial_until for peer in self.peers)

    def disagreements(self) -> tuple[Disagreement, ...]:
        """What the peers do differently, in words; empty while they do the same."""
        return tuple(Disagreement(slot, say) for slot in self.slots if (say := _differ(self.peers, slot)))


def _differ(peers: tuple[Peer, ...], slot: Slot) -> str:
    views = {peer.name: _view(peer.server(slot)) for peer in peers}
    if len(set(views.values())) <= 1:
        return ""
    name = next(server.name for peer in peers if (server := peer.server(slot)))
    return f"{name}: " + ", ".join(f"{peer} says {view}" for peer, view in views.items()) + "."


def _view(server: Server | None) -> str:
    if server is None:
        return "it has no such server"
    health = "" if server.up else ", and finds it down"
    return f"{server.admin} with weight {server.weight}{health}"


class Traffic(Protocol):
    """The balancer in front of one gateway. Verbs that change something carry the fence of the claim that asks, and
    return whether everything was so already.

    `steer` sets weights by slot; with `seconds` as a trial that every peer ends by itself, back to what was before,
    unless the same is asked again or `steer` comes without. `drain`: no new users; those who belong there may come
    back. `forget` lets go of clients that the balancer would send to a slot again, but those from `keep`.
    """

    def state(self) -> Seen: ...
    def steer(self, weights: Mapping[Slot, int], *, seconds: int = 0, fence: int) -> bool: ...
    def drain(self, slot: Slot | None = None, *, fence: int) -> bool: ...
    def ready(self, slot: Slot | None = None, *, fence: int) -> bool: ...
    def sessions(self, slot: Slot | None = None) -> int: ...
    def forget(self, slot: Slot, *, keep: Collection[str], fence: int) -> int: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Want:
    """What one server is to be set to; None leaves it."""

    admin: Admin | None = None
    weight: int | None = None


class Door(Protocol):
    """One peer, reached: what a driver brings. fleet.traffic.balanced makes a Traffic of its doors."""

    name: str

    def look(self) -> Peer: ...
    def set(self, wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> None: ...
    def forget(self, slot: Slot, *, keep: Collection[str], fence: int) -> int: ...
    def close(self) -> None: ...
