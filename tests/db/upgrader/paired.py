"""Two pools of gateways in memory behind one balancer: blue serves, green stands idle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from fleet import balancers, traffic
from fleet.models import Balancer, BalancerPeer, Gateway, Pool
from fleet.traffic.memory import MemoryPeer
from fleet.traffic.ports import WHOLE, Door, Slot
from tests.db.upgrader.fronts import NAMES, without_nft
from tests.db.upgrader.world import Fleet
from upgrader import together
from upgrader.models import Rollout, Strategy, Upgrade

SPEC: dict[str, Any] = {
    "kind": "blue_green",
    "between": ["blue", "green"],
    "waves": [{"title": "the idle pool", "rest": True}],
    "observe_seconds": 20,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "at_once": 2,
    "promote": "hand",
    "on_fail": "rollout",
    "limits": {"login_success_min": 0.98, "min_logins": 8, "restarts_max": 0},
    "drain": {"deadline_hours": 1},
}
BLUE, GREEN = ("gw-1", "gw-2"), ("gw-3", "gw-4")


class Pools:
    """Blue is the fleet's pool with four users a gateway; a plan is for green. Two peers, asked as one."""

    def __init__(self, fleet: Fleet, patch: pytest.MonkeyPatch, **spec: Any) -> None:
        self.fleet = fleet
        self.blue, self.green = fleet.pool, Pool.objects.create(name="green", channel=fleet.pool.channel)
        Pool.objects.filter(pk=self.blue.pk).update(name="blue")
        self.blue.name = "blue"
        fleet.pool = self.green
        fleet.add_gateway("gw-4", 0)
        Gateway.objects.filter(name="gw-3").update(pool=self.green, sessions=0)
        empty(fleet, "gw-3")
        without_nft(fleet)
        self._rights()
        self.peers = {(peer, name): self._peer(peer, name) for peer in NAMES for name in (*BLUE, *GREEN)}
        self.balancer = Balancer.objects.create(name="front", pool=self.blue, kind="memory")
        self.balancer.shared_with.add(self.green)
        for name in NAMES:
            about = {"key_kind": "ssh-ed25519", "key": "AAAA"}
            BalancerPeer.objects.create(balancer=self.balancer, name=name, address=name, **about)
        for row in Gateway.objects.all():
            Gateway.objects.filter(pk=row.pk).update(front=self.balancer, backend="vpn", servers={"": row.name})
        patch.setitem(traffic.DRIVERS, "memory", self.open)
        fleet.strategy = Strategy.objects.create(name="between", title="Between", spec={**SPEC, **spec})
        patch.setattr(together, "lead", lambda _: 0.0)  # the tests' clock stands while a step waits
        self.look()

    def _rights(self) -> None:
        for person, rights in (
            (self.fleet.ola, ("submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout", "view_pool")),
            (self.fleet.cal, ("approve_rollout", "rollback_rollout", "hold_rollout", "promote_rollout", "view_pool")),
        ):
            for right in rights:
                assign_perm(right, person, self.green)

    def _peer(self, peer: str, name: str) -> MemoryPeer:
        made = MemoryPeer(peer, {WHOLE: 100 if name in BLUE else 0}, clock=lambda: self.fleet.seconds)
        made.beside = lambda: sum(self.is_open(name=other, peer=peer) for other in (*BLUE, *GREEN) if other != name)
        return made

    def open(self, peer: BalancerPeer, gateway: Gateway, _: Mapping[Slot, str]) -> Door:
        return self.peers[peer.name, gateway.name]

    def is_open(self, *, name: str, peer: str) -> bool:
        server = self.peers[peer, name].servers[WHOLE]
        return server.up and server.admin == "ready" and server.weight > 0

    def opened(self) -> list[str]:
        """Gateways that both peers send new users to; one that only one of them does is named with that one."""
        for peer in self.peers.values():
            peer.look()  # a trial whose time is over ends
        return self.opened_now()

    def opened_now(self) -> list[str]:
        """The same where a peer does not answer."""
        found = {name: [peer for peer in NAMES if self.is_open(name=name, peer=peer)] for name in (*BLUE, *GREEN)}
        return [name if len(at) == len(NAMES) else f"{name} at {at[0]}" for name, at in found.items() if at]

    def of(self, name: str) -> list[MemoryPeer]:
        return [self.peers[peer, name] for peer in NAMES]

    def look(self, now: datetime | None = None) -> None:
        """What the tick does each 30 s."""
        balancers.look(self.balancer, now=now or self.fleet.now())

    def rows(self, rollout: Rollout) -> dict[str, Upgrade]:
        return {row.gateway.name: row for row in self.fleet.upgrades(rollout)}


def empty(fleet: Fleet, name: str) -> None:
    """Nobody is on this gateway."""
    machine = fleet.machines[name].machine
    for session in list(machine.sessions()):
        machine.sign_out(session)
    for chair in machine.crowd.chairs:
        chair.session = None
    machine.crowd.chairs.clear()
