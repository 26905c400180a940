"""What a page shows of one rollout, as values: the selectors fill it, why.py and actions.py read it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from fleet.words import Word
from upgrader import words
from upgrader.states import Outcome, R, S, U, W

CARRIES = frozenset({U.DRAINING, U.DONE})
TOUCHED = frozenset({U.UPGRADING, U.OBSERVING, U.COMMITTING, U.DRAINING, U.DONE, U.FAILED, U.ROLLING_BACK})
AT_WORK = frozenset({U.UPGRADING, U.OBSERVING, U.COMMITTING, U.FAILED, U.ROLLING_BACK})


@dataclass(frozen=True)
class Step:
    """The last step of an upgrade."""

    name: str
    state: S
    say: str = ""  # its own progress line
    done: int = 0
    total: int = 0
    attempts: int = 0
    error: str = ""
    due_at: datetime | None = None

    @property
    def line(self) -> str:
        """One line: what it does, how far, how often it was tried."""
        what = self.say or words.STEP_SAYS.get(self.name, self.name)
        share = f", {100 * self.done // self.total} %" if self.total and self.state is S.CLAIMED else ""
        return what + share


@dataclass(frozen=True)
class GatewayRow:
    """One gateway's upgrade."""

    id: int
    gateway_id: int
    name: str
    state: U
    since: datetime
    sessions: int  # on the gateway now
    reason: str = ""
    from_release: str = ""
    from_slot: int | None = None
    to_slot: int | None = None
    before: int = 0  # sessions before the first shift
    kept: int | None = None
    cut: int = 0
    old_sessions: int = 0
    new_sessions: int = 0
    new_weight: int = 0  # share of new clients in percent
    step: Step | None = None
    snapshot: bool = False

    @property
    def word(self) -> Word:
        return words.UPGRADE[self.state]


@dataclass(frozen=True)
class Judged:
    """The newest verdict on a wave."""

    outcome: Outcome
    sentence: str
    at: datetime
    final: bool

    @property
    def word(self) -> Word:
        word = words.OUTCOME[self.outcome]
        return (
            word
            if self.final or self.outcome is Outcome.NO_EVIDENCE
            else Word(f"{word.say} so far", word.tone, word.icon)
        )


@dataclass(frozen=True)
class WaveRow:
    id: int
    number: int
    title: str
    state: W
    since: datetime
    weights: tuple[int, ...]
    stage: int
    gateways: tuple[GatewayRow, ...]
    planned_sessions: int  # on its gateways when the plan was drawn
    observe_until: datetime | None = None
    verdict: Judged | None = None
    reason: str = ""

    @property
    def word(self) -> Word:
        return words.WAVE[self.state]

    @property
    def weight(self) -> int:
        """The share of new clients that the stage at work gives to the new release, in percent."""
        return self.weights[min(self.stage, len(self.weights) - 1)]

    @property
    def sessions(self) -> int:
        return sum(row.sessions for row in self.gateways)


@dataclass(frozen=True)
class Picture:
    id: int
    state: R
    version: int
    digest: str
    since: datetime
    reason: str
    product: str
    release: str
    release_id: int
    from_releases: tuple[str, ...]
    pool: str
    strategy: str
    created_by: str
    created_at: datetime
    own: bool  # the one who looks is the one who asked
    may: frozenset[str]  # actions whose permission the one who looks has on the pool
    waves: tuple[WaveRow, ...]
    promote: str = "hand"
    at_once: int = 1
    drain_hours: float = 24.0
    state_migration: bool = False
    held_from: str = ""
    decide_until: datetime | None = None
    request_state: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def word(self) -> Word:
        return words.ROLLOUT[self.state]

    @cached_property
    def gateways(self) -> tuple[GatewayRow, ...]:
        return tuple(row for wave in self.waves for row in wave.gateways)

    @cached_property
    def touched(self) -> tuple[GatewayRow, ...]:
        """Gateways on which something was changed: what a rollback takes back."""
        return tuple(row for row in self.gateways if row.state in TOUCHED)

    @cached_property
    def current(self) -> WaveRow | None:
        """The wave at work, else the next one; None when every wave is over."""
        return next((wave for wave in self.waves if wave.state not in (W.PASSED, W.ROLLED_BACK)), None)

    @cached_property
    def next(self) -> WaveRow | None:
        """The first wave that has not started."""
        return next((wave for wave in self.waves if wave.state is W.PLANNED), None)

    @cached_property
    def sessions(self) -> int:
        """Users on the gateways that the rollout has touched, now."""
        return sum(row.sessions for row in self.touched)

    @cached_property
    def carrying(self) -> int:
        """Gateways that serve the new release for good."""
        return sum(row.state in CARRIES for row in self.gateways)

    @cached_property
    def before(self) -> int:
        return sum(row.before for row in self.gateways)

    @cached_property
    def cut(self) -> int:
        return sum(row.cut for row in self.gateways)

    @cached_property
    def kept(self) -> int | None:
        """|before ∩ after| over the gateways where it was measured; None when it was measured nowhere yet."""
        measured = [row.kept for row in self.gateways if row.kept is not None]
        return sum(measured) if measured else None

    @cached_property
    def measured(self) -> int:
        """The sessions before, on the gateways where the kept ones were measured."""
        return sum(row.before for row in self.gateways if row.kept is not None)

    @cached_property
    def failed(self) -> tuple[GatewayRow, ...]:
        return tuple(row for row in self.gateways if row.state is U.FAILED)

    @cached_property
    def out(self) -> int:
        """Gateways at work right now: the part of the fleet that could be hurt."""
        return sum(row.state in AT_WORK for row in self.gateways)

    @cached_property
    def rollback_until(self) -> datetime | None:
        """When the first old slot is retired at the latest; None while none drains."""
        draining = [row.since for row in self.gateways if row.state is U.DRAINING]
        return min(draining) + timedelta(hours=self.drain_hours) if draining else None
