"""What every part of the in-memory gateway stands on: its lock and clock, faults, and how one question is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from fleet.errors import RetryLater
from fleet.gateways.machine import Faults, Machine


@dataclass(frozen=True)
class World:
    """What the machines of a fleet share: their time, and how one waits in it."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    pace: float = 0.0  # seconds that staging takes; starting takes a fifth of it


Hold = Callable[[Machine, bool], AbstractContextManager[None]]
"""Entered around each question, with whether it may change something: brings the state here, and keeps the new one."""


class Simulated:
    """One simulated gateway, without its verbs."""

    def __init__(self, machine: Machine, *, world: World, hold: Hold = lambda *_: nullcontext()) -> None:
        self.machine = machine
        self.world = world
        self._hold = hold
        self._lock = threading.RLock()

    @property
    def faults(self) -> Faults:
        return self.machine.faults

    @property
    def effects(self) -> dict[str, int]:
        """Verb → how often it really changed something here."""
        return dict(self.machine.effects)

    def _their(self, at: float) -> float:
        return at + self.machine.faults.clock_offset

    @contextmanager
    def _asked(self, *, changes: bool = False) -> Iterator[float]:
        """One question: refused while unreachable, slow where wanted, everything that was due happened before."""
        self._travel()
        with self._lock, self._hold(self.machine, changes):
            if self.faults.unreachable:
                raise RetryLater(f"{self.machine.name} does not answer.", code="unreachable")
            now = self.world.clock()
            self.machine.advance(now)
            yield now
        self._travel()

    def _travel(self) -> None:
        """Half of a slow answer's time is the question's way: what it changes happens in the middle."""
        if self.faults.slow_seconds:
            self.world.sleep(self.faults.slow_seconds / 2)

    @contextmanager
    def _changed(self, effect: str | None) -> Iterator[None]:
        """What happens inside is an effect: counted, and then perhaps nobody hears of it."""
        yield
        if effect:
            self.machine.effects[effect] += 1
        if self.faults.lose_answers > 0:
            self.faults.lose_answers -= 1
            raise RetryLater(f"{self.machine.name} was cut off before it answered.", code="connection_lost")
