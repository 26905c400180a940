"""The in-memory fleet: many simulated gateways in one process, under one clock. No Django."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from fleet.errors import GiveUp
from fleet.gateways.crowd import Crowd
from fleet.gateways.machine import Faults, Machine, Place
from fleet.gateways.simulated import MemoryGateway, World, unkept

__all__ = ["Faults", "MemoryFleet", "MemoryGateway"]

Keep = Callable[[Machine, float], None]


class MemoryFleet:
    """Opens gateways by name, as `fleet.gateways.open` does for rows. `pace`: seconds that staging takes."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        seed: int = 0,
        pace: float = 0.0,
    ) -> None:
        self.world = World(clock, sleep, pace)
        self.seed = seed
        self._gateways: dict[str, MemoryGateway] = {}
        self._lock = threading.RLock()

    def add(
        self,
        name: str,
        *,
        release: str = "1.1.6",
        users: int = 0,
        mean_seconds: float = 0.0,
        faults: Faults | None = None,
    ) -> MemoryGateway:
        """A gateway whose slot 1 serves `release`; its users sign in now and stay `mean_seconds` (0: for ever)."""
        crowd = Crowd(name, seed=self.seed, users=users, mean_seconds=mean_seconds)
        machine = Machine(name, crowd=crowd, faults=faults)
        now = self.world.clock()
        machine.releases[release] = (hashlib.sha256(release.encode()).hexdigest(), release.partition("-")[0])
        machine.launch(machine.slots[1], release, now)
        machine.effects.clear()
        machine.settle(Place(1, release))
        crowd.open(machine, now)
        with self._lock:
            self._gateways[name] = MemoryGateway(machine, world=self.world)
            return self._gateways[name]

    def revive(self, name: str, state: Mapping[str, Any], *, simulate: Mapping[str, Any], keep: Keep = unkept) -> None:
        """A gateway as another process left it: `state` is `simulation` of its facts, {} for a fresh one."""
        faults = dict(simulate.get("faults", {}))
        faults["start_failed"] = set(faults.get("start_failed", ()))
        with self._lock:
            if name in self._gateways:
                return
            gateway = self.add(
                name,
                release=str(simulate.get("release", "1.1.6")),
                users=int(simulate.get("users", 0)),
                mean_seconds=float(simulate.get("mean_seconds", 0.0)),
                faults=Faults(**faults),
            )
            if state:
                gateway.machine.load(dict(state))
            gateway.keep = keep

    def knows(self, name: str) -> bool:
        with self._lock:
            return name in self._gateways

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._gateways.clear()

    def open(self, name: str) -> MemoryGateway:
        """Return the gateway; GiveUp when there is none of that name."""
        with self._lock:
            if name not in self._gateways:
                raise GiveUp(f"There is no simulated gateway {name}.", code="unknown_gateway")
            return self._gateways[name]
