"""Balancers in memory before the gateways of a test's fleet."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fleet import traffic
from fleet.models import Balancer, BalancerPeer, Gateway
from fleet.traffic.memory import MemoryPeer
from fleet.traffic.ports import Door, Slot
from tests.db.upgrader.world import SPEC, Fleet
from upgrader.models import Strategy

ONE_WAVE = {**SPEC, "waves": [{"title": "all", "rest": True, "weights": [100]}], "promote": "machine"}
NAMES = ("lb-1", "lb-2")


class Front:
    """Two balancers before every gateway of the fleet; `servers` as in the gateways' rows."""

    def __init__(self, fleet: Fleet, patch: pytest.MonkeyPatch, *, servers: Mapping[str, str]) -> None:
        weights = {int(slot or 0): 100 if slot in ("", "1") else 0 for slot in servers}
        self.fleet = fleet
        self.peers = {
            (peer, name): MemoryPeer(peer, weights, clock=lambda: fleet.seconds)
            for peer in NAMES
            for name in fleet.machines
        }
        balancer = Balancer.objects.create(name="front", pool=fleet.pool, kind="memory")
        for name in NAMES:
            BalancerPeer.objects.create(balancer=balancer, name=name, address=name, key_kind="ssh-ed25519", key="AAAA")
        Gateway.objects.update(front=balancer, backend="vpn", servers=dict(servers))
        patch.setitem(traffic.DRIVERS, "memory", self.open)

    def open(self, peer: BalancerPeer, gateway: Gateway, _: Mapping[Slot, str]) -> Door:
        return self.peers[peer.name, gateway.name]

    def of(self, gateway: str) -> list[MemoryPeer]:
        return [self.peers[peer, gateway] for peer in NAMES]

    def takes_new(self, gateway: str) -> list[list[int]]:
        """The slots that each of its balancers sends new users to."""
        return [[s.slot for s in peer.look().servers if s.takes_new] for peer in self.of(gateway)]

    def weights(self, gateway: str) -> list[dict[int, int]]:
        return [{s.slot: s.weight for s in peer.look().servers} for peer in self.of(gateway)]


def strategy(fleet: Fleet, **spec: object) -> Strategy:
    """The fleet's strategy from now on: one wave, all new users at once."""
    how = {"title": "Front", "spec": {**ONE_WAVE, **spec}}
    fleet.strategy, _ = Strategy.objects.update_or_create(name="front", defaults=how)
    return fleet.strategy


def without_nft(fleet: Fleet) -> None:
    """Every gateway of the fleet can't steer, and has said so."""
    for name, machine in fleet.machines.items():
        machine.machine.faults.no_nft = True
        Gateway.objects.filter(name=name).update(facts=dict(machine.facts().raw))
