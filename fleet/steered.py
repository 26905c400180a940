"""What a gateway says to the verbs that steer, drain and end. No Django, no I/O; part of fleet.ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Weights = Mapping[int, int]
"""Slot number → share of new clients in percent; the shares sum to 100."""


@dataclass(frozen=True)
class Shifted:
    weights: Weights
    until: float
    applied_at: float
    already: bool


@dataclass(frozen=True)
class Left:
    """One user who is still on a slot. `idle_seconds`: his byte counters have stood still for so long."""

    id: str
    user: str
    idle_seconds: int
    since: float  # epoch seconds
    rx: int  # bytes
    tx: int  # bytes


@dataclass(frozen=True)
class Drain:
    slot: int
    sessions: int
    oldest_seconds: int
    idle: int
    cookies: int
    users: tuple[Left, ...] = ()  # the idlest first; only for those who asked for names


@dataclass(frozen=True)
class Retired:
    slot: int
    cut: tuple[tuple[str, str], ...]  # (session id, user)
    already: bool


@dataclass(frozen=True)
class Restored:
    """`cut`: who lost his session, where going back meant to stop an ocserv."""

    slot: int
    release: str
    weights: Weights
    started: bool
    forgotten: int
    applied_at: float
    already: bool
    cut: tuple[tuple[str, str], ...] = ()  # (session id, user)


@dataclass(frozen=True)
class Replacement:
    """What shall serve in place of the release that serves now, and whom that may cost.

    Without `commit`, or the same wish again, the gateway goes back by itself after `seconds`.
    """

    release: str
    cut_at_most: int
    seconds: int
    slot: int = 0  # 0: the first one that is free
    conf: str = ""  # SHA-256 of a configuration that was brought; "" is the agreed one
    over: str = ""  # SHA-256 of an edited ocserv.conf on the host that may stand


@dataclass(frozen=True)
class Replaced:
    slot: int
    release: str
    version: str
    cut: tuple[tuple[str, str], ...]  # (session id, user)
    until: float  # the gateway's clock, epoch seconds
    ready_ms: int
    already: bool
