"""One live session a gateway and process, shared by its threads: a rollback finds a warm connection."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import paramiko

from fleet.errors import GiveUp
from fleet.gateways.dial import HostKeyChanged, Target
from fleet.gateways.session import Session

IDLE_SECONDS = 120.0
SWEEP_SECONDS = 10.0
MOST_IDLE = 256  # sessions kept for nobody in particular: each costs a thread and 0.3 MB


@dataclass
class Berth:
    """The place of one gateway's session. `dialling` lets one thread connect while the others wait for it."""

    session: Session | None = None
    users: int = 0
    used_at: float = 0.0  # monotonic
    dialling: threading.Lock = field(default_factory=threading.Lock)


class Keeper:
    """Keeps sessions by target: another address or another pinned key is another session."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._berths: dict[Target, Berth] = {}
        self._lock = threading.Lock()
        self._sweeper: threading.Thread | None = None

    def berth(self, target: Target) -> Berth:
        """Return the target's place, with one more user."""
        with self._lock:
            berth = self._berths.setdefault(target, Berth())
            berth.users += 1
            berth.used_at = time.monotonic()
            self._sweep_from_now_on()
            return berth

    def leave(self, berth: Berth) -> None:
        """One user less; the session stays open for the next."""
        with self._lock:
            berth.users -= 1
            berth.used_at = time.monotonic()

    def sweep(self, now: float) -> None:
        """Close what nobody has used for `idle_seconds`, what is broken, and the oldest beyond MOST_IDLE. `now` is
        monotonic."""
        with self._lock:
            free = [(berth.used_at, target, berth) for target, berth in self._berths.items() if berth.users == 0]
            free.sort(key=lambda found: found[0], reverse=True)
            idle = [
                target
                for place, (used_at, target, berth) in enumerate(free)
                if place >= MOST_IDLE or now - used_at >= self._idle_seconds or not _lives(berth)
            ]
            gone = [self._berths.pop(target) for target in idle]
        for berth in gone:
            _close(berth)

    def close_all(self) -> None:
        """Close every session, used or not."""
        with self._lock:
            gone, self._berths = list(self._berths.values()), {}
        for berth in gone:
            _close(berth)

    def forget(self) -> None:
        """After a fork: the sessions belong to the parent, and their threads are not here."""
        self._berths, self._lock, self._sweeper = {}, threading.Lock(), None

    def _sweep_from_now_on(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweep_for_ever, name="ssh sweeper", daemon=True)
            self._sweeper.start()

    def _sweep_for_ever(self) -> None:
        while True:
            time.sleep(SWEEP_SECONDS)
            self.sweep(time.monotonic())


class Loan:
    """What an adapter holds: it connects at the first question, and again where the connection broke."""

    def __init__(
        self,
        keeper: Keeper,
        target: Target,
        *,
        key: Callable[[], paramiko.PKey],
        on_changed: Callable[[HostKeyChanged], None],
    ) -> None:
        self._keeper = keeper
        self._target = target
        self._key = key
        self._on_changed = on_changed
        self._berth: Berth | None = keeper.berth(target)

    def take(self) -> tuple[Session, bool]:
        """Return a live session, and whether it was opened just now."""
        berth = self._berth
        if berth is None:
            raise GiveUp(f"The connection to {self._target.name} was given back already.", code="closed")
        with berth.dialling:
            if berth.session is not None and berth.session.alive:
                return berth.session, False
            _close(berth)
            try:
                berth.session = Session(self._target, self._key())
            except HostKeyChanged as changed:
                self._on_changed(changed)
                raise
            return berth.session, True

    def give_back(self) -> None:
        """Give the session back. A second time does nothing."""
        berth, self._berth = self._berth, None
        if berth is not None:
            self._keeper.leave(berth)


def _lives(berth: Berth) -> bool:
    return berth.session is not None and berth.session.alive


def _close(berth: Berth) -> None:
    session, berth.session = berth.session, None
    if session is not None:
        session.close()


KEEPER = Keeper()
os.register_at_fork(after_in_child=KEEPER.forget)
