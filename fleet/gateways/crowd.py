"""Simulated VPN users of one gateway: who signs in when, decided by a seed and the clock alone. Pure.

A chair is one place at the gateway. Its users come one after the other; the n-th one's name, address and times follow
from (seed, gateway, chair, n), so it makes no difference how often, or in which process, somebody looks.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from fleet.ports import Session

RETRY_SECONDS = 5.0  # a user whose login failed tries again after this


class Door(Protocol):
    """Where the users knock: the gateway's steering."""

    def sign_in(self, at: float, *, id: str, user: str, remote: str) -> Session | None:
        """Return the session, or None when the login failed."""

    def sign_out(self, session: Session) -> None: ...


@dataclass
class Chair:
    number: int
    turn: int = 0
    due: float = math.inf  # when its user signs in or out next, epoch seconds
    session: Session | None = None


class Crowd:
    """`users` chairs whose sessions last `mean_seconds` on average; 0 means that nobody comes or goes by himself."""

    def __init__(self, name: str, *, seed: int = 0, users: int = 0, mean_seconds: float = 0.0) -> None:
        self.name = name
        self.seed = seed
        self.mean_seconds = mean_seconds
        self.chairs = [Chair(number) for number in range(users)]

    def open(self, door: Door, at: float) -> None:
        """Sign in the first user of every chair."""
        for chair in self.chairs:
            self._arrive(chair, door, at)

    def next_due(self) -> float:
        """When somebody comes or goes next, epoch seconds; infinity when nobody does."""
        return min((chair.due for chair in self.chairs), default=math.inf)

    def step(self, door: Door, at: float) -> None:
        """Let those come or go whose time is `at` or earlier."""
        for chair in self.chairs:
            if chair.due <= at:
                self._turn(chair, door, at)

    def forget(self, session: Session, at: float) -> None:
        """The user of this session was cut off: somebody else takes the chair a little later, if users come and go."""
        for chair in self.chairs:
            if chair.session is not None and chair.session.id == session.id:
                chair.session = None
                chair.due = at + RETRY_SECONDS if self.mean_seconds else math.inf

    def dump(self) -> list[dict[str, Any]]:
        """The chairs as data for JSON."""
        return [
            {
                "turn": chair.turn,
                "due": None if math.isinf(chair.due) else chair.due,
                "session": vars(chair.session) if chair.session else None,
            }
            for chair in self.chairs
        ]

    def load(self, chairs: list[dict[str, Any]]) -> None:
        """Take up where `dump` left off."""
        self.chairs = [
            Chair(
                number,
                turn=int(raw["turn"]),
                due=math.inf if raw["due"] is None else float(raw["due"]),
                session=Session(**raw["session"]) if raw["session"] else None,
            )
            for number, raw in enumerate(chairs)
        ]

    def sessions(self) -> Iterator[Session]:
        return (chair.session for chair in self.chairs if chair.session is not None)

    def _turn(self, chair: Chair, door: Door, at: float) -> None:
        if chair.session is None:
            self._arrive(chair, door, at)
            return
        door.sign_out(chair.session)
        chair.session = None
        chair.due = at + self._dice(chair).expovariate(1.0) * self.mean_seconds / 10

    def _arrive(self, chair: Chair, door: Door, at: float) -> None:
        chair.turn += 1
        digest = hashlib.sha256(f"{self.seed}:{self.name}:{chair.number}:{chair.turn}".encode()).hexdigest()
        # 198.18.0.0/15 is for benchmarks (RFC 2544); one address a user, so that each is a stranger to the steering.
        remote = f"198.19.{int(digest[:2], 16)}.{int(digest[2:4], 16)}"
        user = f"user{chair.number + 1:03d}-{chair.turn}"
        chair.session = door.sign_in(at, id=digest[8:40], user=user, remote=remote)
        if chair.session is None:
            chair.due = at + RETRY_SECONDS
        elif self.mean_seconds:
            chair.due = at + self._dice(chair).expovariate(1.0) * self.mean_seconds

    def _dice(self, chair: Chair) -> random.Random:
        return random.Random(f"{self.seed}:{self.name}:{chair.number}:{chair.turn}:{chair.session is None}")  # nosec B311 # noqa: S311
