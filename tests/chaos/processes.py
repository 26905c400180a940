"""Processes of the product inside one: each can be killed or frozen at any query, commit or question to a gateway.

A killed one raises Killed, which no except clause of the product sees; a new one takes its place. A frozen one waits
while all the others go on, so that every interleaving of two processes that SQLite allows can come about.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

Freeze = Callable[[float], None]
Told = Callable[[str], None]


class Killed(BaseException):
    """kill -9: what was not committed never was."""


@dataclass
class Process:
    """One of the product's processes. `offset`: its machine's clock minus the true time, seconds."""

    kind: str
    number: int
    machine: str
    offset: float = 0.0
    born: int = 1
    dead: bool = False
    began: float = 0.0  # what it does now, in true time

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}.{self.born}"

    @property
    def owner(self) -> str:
        return f"{self.machine}:{self.name}"


class Own:
    """What each process has in its own memory and no other sees; it is gone with the process."""

    def __init__(self, processes: Processes, make: Callable[[], Any]) -> None:
        self._processes, self._make = processes, make
        self._kept: dict[str, Any] = {}

    def _mine(self) -> Any:
        process = self._processes.current
        return self._kept.setdefault(process.owner if process else "", self._make())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mine(), name)

    def __setitem__(self, key: object, value: object) -> None:
        self._mine()[key] = value


class Processes:
    """Who runs now, and what becomes of him. `freeze(seconds)` lets the world go on without the frozen one."""

    def __init__(self, dice: random.Random, *, clock: Callable[[], float], freeze: Freeze, told: Told) -> None:
        self.dice, self.clock, self.freeze, self.told = dice, clock, freeze, told
        self.stack: list[Process | None] = []  # None: the world goes on beside a frozen one
        self.gone: set[str] = set()  # owners of processes that have ended
        self.calm = False
        self.committed: Callable[[], None] = lambda: None
        self._left = 0
        self._draw()

    @property
    def current(self) -> Process | None:
        return self.stack[-1] if self.stack else None

    def _draw(self) -> None:
        """How many points pass until the next one is fatal, or freezes."""
        self._left = int(self.dice.expovariate(1 / 6000)) + 1

    def run(self, process: Process, work: Callable[[], object]) -> bool:
        """Let a process do its work; False when it was killed on the way: the next one is there then."""
        self.stack.append(process)
        process.began = self.clock()
        try:
            work()
        except Killed:
            # What was to follow a commit died with it. The connection stays: a frozen process may stand in a query.
            connection.run_on_commit = []
            connection.rollback()
            self.gone.add(process.owner)
            process.born, process.dead = process.born + 1, False
            return False
        finally:
            self.stack.pop()
        return True

    def point(self, where: str, *, whole: bool = True, weight: int = 10) -> None:
        """Something may happen to the process here; it is not frozen with half an answer (`whole`) in its hands."""
        process = self.current
        if process is None:
            return
        if process.dead:
            raise Killed
        if self.calm:
            return
        self._left -= weight
        if self._left > 0:
            return
        self._draw()
        if not whole or connection.in_atomic_block or None in self.stack or self.dice.random() < 0.6:
            self.told(f"kill: {process.name} at {where}")
            process.dead = True
            raise Killed
        seconds = self.dice.choice((0.0, 0.0, 1.0, 5.0, 30.0, 70.0, 150.0))
        self.told(f"freeze: {process.name} for {seconds:.0f} s at {where}")
        self.stand_still(seconds)

    def stand_still(self, seconds: float) -> None:
        """The current process does nothing for so long, and all the others do."""
        self.stack.append(None)
        try:
            self.freeze(seconds)
        finally:
            self.stack.pop()

    @contextmanager
    def watching_database(self) -> Iterator[None]:
        """A point before each query, after each one outside of a transaction, and after each commit."""
        base: Any = connection  # the stubs know no _commit
        commit = base._commit  # the method that really commits; Django has no hook right after it

        def asked(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            weight = 1 if sql.startswith("SELECT") else 10  # most queries read: they are not what is interesting
            self.point(f"query {sql[:60]}", weight=weight)
            answer = execute(sql, *rest)
            if weight > 1 and not connection.in_atomic_block and not sql.startswith("BEGIN"):
                self.point(f"after {sql[:60]}", whole=False)
            return answer

        def committed() -> None:
            commit()
            if self.current is not None:
                self.committed()
            self.point("commit", whole=False)

        base._commit = committed
        try:
            with connection.execute_wrapper(asked):
                yield
        finally:
            base._commit = commit
