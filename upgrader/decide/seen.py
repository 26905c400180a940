"""What is thought about, and the answer: one rollout as it stands, and one move. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fleet.phrases import listed
from upgrader.states import Outcome, R, U, W
from upgrader.strategy_spec import Kind, Who


@dataclass(frozen=True)
class UpgradeSeen:
    id: int
    gateway: str
    state: U
    reason: str = ""
    failed_step: str = ""  # name of the step that said no, when FAILED
    since: datetime | None = None
    group: str = ""  # gateways of one redundancy group are never at work together
    gone: str = ""  # why it is no gateway of this rollout any more, as a sentence
    taken: bool = False  # another rollout works on the gateway now
    silent: bool = False  # it has not answered lately
    shifting: bool = False  # a shift was asked for and has not settled
    old_trouble: str = ""  # why its old release is nothing to go back to, as a sentence
    outgoing: bool = False  # of the pool that loses its new users to the others
    overtaken: bool = False  # a later rollout has taken the gateway since: it is that one's to take back


@dataclass(frozen=True)
class WaveSeen:
    """A wave at work holds all of its upgrades; of the others only those that need something, and `rest` in numbers."""

    id: int
    number: int
    state: W
    stage: int
    stages: int
    upgrades: tuple[UpgradeSeen, ...]
    since: datetime | None = None
    observe_seconds: int = 1  # 0: not observed
    observe_until: datetime | None = None
    verdict: Outcome | None = None  # on the stage under observation
    verdict_reason: str = ""
    rest: Mapping[U, int] = field(default_factory=dict)

    def of(self, *states: U) -> list[UpgradeSeen]:
        return [upgrade for upgrade in self.upgrades if upgrade.state in states]

    def count(self, *states: U) -> int:
        return len(self.of(*states)) + sum(self.rest.get(state, 0) for state in states)

    @property
    def size(self) -> int:
        return len(self.upgrades) + sum(self.rest.values())


@dataclass(frozen=True)
class RolloutSeen:
    state: R
    release: str
    promote: Who
    at_once: int
    waves: tuple[WaveSeen, ...]
    now: datetime
    reason: str = ""  # why the rollout is where it is
    answer: str = ""  # of the people who were asked: open, approved, rejected, void, expired
    kind: Kind = "canary"
    between: str = ""  # "blue to green" where it switches between two pools
    shares: Who = "machine"
    on_fail: Literal["wave", "rollout"] = "wave"
    failures_max: int = 0  # equal is allowed
    promoted_to: int = 0
    blocked: str = ""  # why nothing new may begin now (window, freeze), as a sentence

    @property
    def began(self) -> bool:
        return any(wave.state is not W.PLANNED for wave in self.waves)

    def of(self, *states: U) -> list[UpgradeSeen]:
        return [upgrade for wave in self.waves for upgrade in wave.of(*states)]


@dataclass(frozen=True)
class Move:
    """Rows of one kind go to one state: the rollout, one wave, or several upgrades at once.

    A rollout's rollback carries the waves it takes back, and the upgrades in them that it leaves. `shift` opens the
    shift of upgrades that wait for it.
    """

    what: Literal["rollout", "wave", "upgrade"]
    ids: tuple[int, ...]  # none for the rollout
    to: R | W | U
    reason: str
    stage: int | None = None
    waves: tuple[int, ...] = ()
    leave: tuple[int, ...] = ()


AT_WORK = frozenset({U.UPGRADING, U.COMMITTING})
NEEDS_ROLLBACK = frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.DONE, U.FAILED})
CARRIES = frozenset({U.DRAINING, U.DONE})
OUT = frozenset({U.SKIPPED, U.ROLLED_BACK})
"""Left out, or taken back alone: nothing of the rollout is on it."""
WAVE_AT_WORK = frozenset({W.UPGRADING, W.OBSERVING, W.COMMITTING, W.ROLLING_BACK})


def rollout(to: R, reason: str, *, waves: Sequence[int] = (), leave: Sequence[int] = ()) -> Move:
    return Move("rollout", (), to, reason, waves=tuple(waves), leave=tuple(leave))


def wave(seen: WaveSeen, to: W, reason: str, *, stage: int | None = None) -> Move:
    return Move("wave", (seen.id,), to, reason, stage=stage)


def upgrades(chosen: Sequence[UpgradeSeen], to: U, reason: str) -> Move:
    return Move("upgrade", tuple(upgrade.id for upgrade in chosen), to, reason)


def current(seen: RolloutSeen) -> WaveSeen | None:
    return next((wave for wave in seen.waves if wave.state not in (W.PASSED, W.ROLLED_BACK)), None)


def names(chosen: Sequence[UpgradeSeen], most: int = 6) -> str:
    return listed([upgrade.gateway for upgrade in chosen], most)


def complaint(upgrade: UpgradeSeen) -> str:
    """Most sentences begin with the gateway's name already."""
    name, why = upgrade.gateway, upgrade.reason
    return why if why.startswith(name) else f"{name}: {why}"
