"""What every step is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from fleet.ports import Gateway, Progress, ReleaseFiles, Statement
from fleet.traffic.ports import Traffic
from upgrader.steps.told import Before, Seen
from upgrader.strategy import Spec
from upgrader.strategy_spec import Source


@dataclass(frozen=True)
class Config:
    """The configuration that goes along. `text` unseals it, with the approvers' statement where there is one."""

    number: int
    sha256: str
    way: str  # "restart": in the idle slot; "reload": in the slot that serves
    text: Callable[[], tuple[str, Statement | None]]


@dataclass(frozen=True)
class Measured:
    """A gateway's newest answer to the collector. `at`: epoch seconds on our clock, 0.0 where none is fresh."""

    at: float = 0.0
    slots: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # counters and sizes, named as in SlotMetrics
    fact: str = ""  # how the gateway stands, in the words of fleet.metrics.standing; "" where nobody knows
    say: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """What other gateways counted, up to a moment: metric → tries (minutes of users for reconnects) and failures."""

    until: float
    gateways: int
    rates: Mapping[str, tuple[float, int]]


class Stored(Protocol):
    """What the database keeps of one gateway under observation: by the collector, probe hosts and Prometheus."""

    def newest(self) -> Measured: ...

    def others(self, since: float) -> Elsewhere:
        """Gateways of the pool that this rollout has not touched, after `since` (epoch seconds)."""

    def weeks(self) -> Mapping[str, tuple[float, int]]:
        """The gateway itself at this hour of other weeks, as in Elsewhere.rates."""

    def sources(self, *, sizes: bool) -> list[Source]:
        """Who can tell of the gateway as a whole. `sizes`: the collector's are wanted, too."""

    def before(self, *, sizes: bool) -> Before:
        """The time before this rollout touched it. `sizes`: the collector's, too."""

    def seen(self, since: Mapping[str, float], *, slot: int) -> Seen | None:
        """What came since (by source, epoch seconds); None: nothing is due. `slot`: of the collector's, 0 for all."""


@dataclass(frozen=True)
class Job:
    """One step's work on one gateway. Slots are 0 while they are not known."""

    gateway: str
    release: str
    version: str
    digest: str
    from_release: str
    over: str  # SHA-256 of the edited ocserv.conf that the plan lets stand there; "" for none
    from_slot: int
    to_slot: int
    fence: int
    spec: Spec
    args: Mapping[str, Any]
    kept: int  # of `before`, still on when last counted
    before: tuple[str, ...]  # session ids at the moment before the first shift
    left: tuple[str, ...]  # those of them that signed out by themselves
    trial_until: datetime | None  # our clock
    committed: bool  # a commit was asked for, perhaps without an answer
    earlier: Mapping[str, Any]  # what the run before this one of the same step returned
    now: datetime
    probe: tuple[str, str]  # user, password; empty user: no probe account
    files: Callable[[], ReleaseFiles]
    progress: Progress
    keep: Callable[[str, bytes], str]  # (name, archive) → path for the record
    config: Config | None = None
    way: str = "handover"  # a name in flow.TRAFFIC
    cut_at_most: int = 0  # users who may be cut here, as people agreed
    drain_until: datetime | None = None  # the drain's deadline, our clock
    drain_extended: int = 0  # how often it was moved on
    cut: tuple[tuple[str, str], ...] = ()  # (session id, user) of those who were
    traffic: Traffic | None = None  # the balancer in front
    stored: Stored | None = None

    @property
    def conf(self) -> str:
        """SHA-256 of the configuration that goes along; "" for none."""
        return self.config.sha256 if self.config else ""

    @property
    def reloads(self) -> bool:
        return self.config is not None and self.config.way == "reload"


@dataclass(frozen=True)
class SampleOf:
    slot: int
    release: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """The step is over. `say` is the sentence for the record; `columns` go to the upgrade's row."""

    say: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[SampleOf, ...] = ()
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class NotYet:
    """Not finished, come back after so many seconds. Not a failure."""

    seconds: float
    say: str
    columns: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[SampleOf, ...] = ()
    facts: Mapping[str, Any] | None = None


Outcome = Done | NotYet
Step = Callable[[Job, Gateway], Outcome]
