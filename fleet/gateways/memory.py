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
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World

__all__ = ["Faults", "MemoryFleet", "MemoryGateway", "as_wished", "serving"]


def serving(machine: Machine, release: str, *, at: float) -> Machine:
    """The machine with `release` in slot 1 and its users signed in at `at` (epoch seconds)."""
    machine.releases[release] = (hashlib.sha256(release.encode()).hexdigest(), release.partition("-")[0])
    machine.launch(machine.slots[1], release, at)
    machine.effects.clear()
    machine.settle(Place(1, release))
    machine.crowd.open(machine, at)
    return machine


def as_wished(name: str, wish: Mapping[str, Any], *, at: float) -> Machine:
    """A machine as the inventory's `simulate` wants it: release, users, mean_seconds, faults."""
    faults = dict(wish.get("faults", {}))
    faults["start_failed"] = set(faults.get("start_failed", ()))
    crowd = Crowd(name, users=int(wish.get("users", 0)), mean_seconds=float(wish.get("mean_seconds", 0.0)))
    return serving(Machine(name, crowd=crowd, faults=Faults(**faults)), str(wish.get("release", "1.1.6")), at=at)


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
        machine = serving(Machine(name, crowd=crowd, faults=faults), release, at=self.world.clock())
        with self._lock:
            self._gateways[name] = MemoryGateway(machine, world=self.world)
            return self._gateways[name]

    def open(self, name: str) -> MemoryGateway:
        """Return the gateway; GiveUp when there is none of that name."""
        with self._lock:
            if name not in self._gateways:
                raise GiveUp(f"There is no simulated gateway {name}.", code="unknown_gateway")
            return self._gateways[name]
