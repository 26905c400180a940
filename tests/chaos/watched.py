"""A gateway that writes down what it was asked, by which fence, and who lost his session by it: the ground truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from fleet.errors import RetryLater
from fleet.gateways.machine import Machine, Slot
from fleet.gateways.simulated import MemoryGateway
from fleet.ports import Replacement, Session

CUTS = frozenset({"retire", "replace", "restore"})
"""Verbs that may end sessions, each with the number that it may end at most. `restore` only where one release at a time
serves; without a number it was a verdict's, inside the window."""


@dataclass(frozen=True)
class Asked:
    """One question that was answered, or whose answer was lost."""

    at: float  # true time, epoch seconds
    by: str  # the process
    verb: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    cut: tuple[str, ...]  # users whose sessions it ended


@dataclass
class Truth:
    """What really happened on one gateway, and what of it must not have."""

    asked: list[Asked] = field(default_factory=list)
    fence: int = 0  # the highest that was let in
    ahead: bool = False  # of a database that was restored, and nobody has said to believe it yet
    told: set[str] = field(default_factory=set)  # releases that it was asked to run
    broken: list[tuple[str, str]] = field(default_factory=list)


class Watched:
    """Stands before a simulated gateway, as SSH does: `point` is where the asking process may end."""

    def __init__(
        self,
        gateway: MemoryGateway,
        *,
        point: Callable[[str], None],
        who: Callable[[], str],
        allowed: Callable[[str, str], int],
    ) -> None:
        self.gateway, self.point, self.who, self.allowed = gateway, point, who, allowed
        self.truth = Truth(told={slot.release for slot in gateway.machine.slots.values() if slot.running})
        self.accounted: set[str] = set()  # ids of sessions of which is known why they ended
        self.rebooting = False
        self._stop, self._go_back = gateway.machine.stop, gateway.machine.go_back
        gateway.machine.stop = self._stopped  # type: ignore[method-assign]  # to tell our doing from a crash
        gateway.machine.go_back = self._went_back  # type: ignore[method-assign]
        self.wrapped: Callable[[str, Callable[..., Any]], Callable[..., Any]] = lambda _, verb: verb

    @property
    def machine(self) -> Machine:
        return self.gateway.machine

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.gateway, name)
        if not callable(verb) or name.startswith("_"):
            return verb
        return lambda *args, **kwargs: self._ask(name, self.wrapped(name, verb), *args, **kwargs)

    def close(self) -> None:
        """Nothing is open."""

    def reboot(self) -> None:
        self.rebooting = True
        self.gateway.reboot()
        self.rebooting = False

    def _stopped(self, slot: Slot, at: float, *, failed: bool) -> list[Session]:
        lost = self._stop(slot, at, failed=failed)
        if failed or self.rebooting:
            self.accounted |= {session.id for session in lost}
        return lost

    def _went_back(self, at: float) -> list[Session]:
        """A trial's end cuts by itself, maybe while a slow question is on its way that has nothing to do with it."""
        lost = self._go_back(at)
        self.accounted |= {session.id for session in lost}
        return lost

    def _ask(self, name: str, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if connection.in_atomic_block:
            self.truth.broken.append(("outside", f"{name} of {self.machine.name} was asked inside a transaction"))
        self.point(f"before {name} of {self.machine.name}")
        self.machine.advance(self.gateway.world.clock())
        cut, acted = len(self.machine.cut), False
        if name in ("retire", "replace"):
            self._may_cut(name, args, kwargs)
        if name in ("start", "replace"):  # a slow one runs before the answer comes
            self.truth.told.add(args[0].release if name == "replace" else str(args[0]))
        try:
            answer = verb(*args, **kwargs)
            acted = True
            return answer
        except RetryLater as lost:
            acted = lost.code == "connection_lost"
            raise
        finally:
            ended = [session for session in self.machine.cut[cut:] if session.id not in self.accounted]
            # What another asked for while this slow question was on its way is that one's doing.
            self.accounted |= {session.id for session in ended}
            self._note(name, args, kwargs, ended)
            if acted and "fence" in kwargs:
                self._admitted(name, kwargs["fence"])
            self.point(f"after {name} of {self.machine.name}")

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], cut: list[Any]) -> None:
        users = tuple(session.user for session in cut)
        at = self.gateway.world.clock()
        self.truth.asked.append(Asked(at, self.who(), name, args, kwargs, users))
        if users and name not in CUTS:
            self._broken("cut", f"{name} ended the sessions of {', '.join(users)}")
        if users and name == "restore" and not self.machine.faults.no_nft:
            self._broken("cut", f"{name} ended the sessions of {', '.join(users)}, and both releases fit there")
        most = cut_at_most(args, kwargs)
        if users and name in CUTS and most is not None and len(users) > most:
            self._broken("cut", f"{name} with cut_at_most={most} ended {len(users)} sessions")

    def _may_cut(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        wanted = cut_at_most(args, kwargs)
        if wanted and wanted > (most := self.allowed(self.machine.name, name)):
            self._broken("cut", f"{name} was asked with cut_at_most={wanted}, and people agreed to {most}")

    def _admitted(self, name: str, fence: int) -> None:
        if fence < self.truth.fence:
            self._broken("fence", f"{name} with fence {fence} acted after fence {self.truth.fence}")
        if self.truth.ahead:
            self._broken("old plan", f"{name} with fence {fence} acted although the database is older than the gateway")
        self.truth.fence = max(self.truth.fence, fence)

    def _broken(self, what: str, say: str) -> None:
        self.truth.broken.append((what, f"{self.machine.name}: {say}"))


def cut_at_most(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """The number that a verb was asked with; None: it has none."""
    wish = args[0] if args else None
    number = wish.cut_at_most if isinstance(wish, Replacement) else kwargs.get("cut_at_most")
    return None if number is None else int(number)
