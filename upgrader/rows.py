"""One gateway, one step, one verdict and one wave as a page shows them. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from fleet.phrases import count
from fleet.words import Word
from upgrader import words
from upgrader.flow import INCOMING, OUTGOING
from upgrader.states import Outcome, S, U, W

CARRIES = frozenset({U.DRAINING, U.DONE})
TOUCHED = frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.DONE, U.FAILED, U.ROLLING_BACK})
TONES: dict[U, str] = {
    U.PLANNED: "planned",
    U.UPGRADING: "running",
    U.READY: "running",
    U.OBSERVING: "running",
    U.COMMITTING: "running",
    U.DRAINING: "done",
    U.DONE: "done",
    U.FAILED: "failed",
    U.ROLLING_BACK: "rolled",
    U.ROLLED_BACK: "rolled",
    U.SKIPPED: "planned",
}
AT_WORK = frozenset({U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.FAILED, U.ROLLING_BACK})


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
    to_release: str = ""
    from_slot: int | None = None
    to_slot: int | None = None
    before: int = 0  # sessions before the first shift, less those that left
    left: int = 0  # of them, signed out by themselves
    kept: int | None = None
    cut: int = 0
    old_sessions: int = 0
    new_sessions: int = 0
    new_weight: int = 0  # share of new clients in percent
    step: Step | None = None
    snapshot: bool = False
    close: bool = False  # read in full: its slots, its last step
    way: str = "handover"  # a name in flow.TRAFFIC
    pool: str = ""  # where users are sent from one pool to another: its own
    skip: bool = False  # it was taken back to be left out
    gone: bool = False  # its old slot is retired
    drain_until: datetime | None = None  # the drain's deadline
    drain_left: int | None = None  # users on the old slot, as the drain last counted them; None: not counted yet
    drain_oldest: int = 0  # seconds that the oldest of them is on
    drain_idle: int = 0  # of them, idle now
    cut_at_most: int = 0  # users who may be cut here, as people agreed
    third: tuple[str, int] | None = None  # release and sessions of a slot that still drains from before

    @property
    def word(self) -> Word:
        return words.UPGRADE[self.state]

    @property
    def tone(self) -> str:
        """The colour of its segment."""
        return TONES[self.state]

    @property
    def cuts(self) -> int:
        """Users whom going back would cut: one release at a time serves there, and it is the new one."""
        step = (self.step.name, self.step.state) if self.step else ("", S.DONE)
        may = step in (("replace", S.DUE), ("replace", S.CLAIMED), ("restore", S.FAILED))
        return self.sessions if self.way == "in_place" and (self.kept is not None or may) else 0

    @property
    def label(self) -> str:
        """Its bar in words."""
        if self.to_slot in (None, self.from_slot):
            return f"{count(self.old_sessions, 'session')} on {self.from_release}"
        old = f"{count(self.old_sessions, 'session')} on {self.from_release} in slot {self.from_slot or '?'}"
        return f"{old}, {self.new_sessions} on {self.to_release} in slot {self.to_slot}"

    @property
    def line(self) -> str:
        """Where its new users go, and how many of the old ones were kept."""
        kept = f" · kept {self.kept} of {self.before}" if self.kept is not None else ""
        if self.way in (INCOMING, OUTGOING):
            return f"{self.pool}: {self.pool_line}{kept if self.before else ''}"
        cut = (f" · {self.left} signed out" if self.left else "") + (f" · {self.cut} cut" if self.cut else "")
        if self.to_slot is None or not self.new_weight or self.state is U.ROLLED_BACK:
            return f"new users → {self.from_release}{kept}{cut}"
        share = f" · {self.new_weight} % of them" if self.new_weight < 100 else ""
        return f"new users → {self.to_release}{share}{kept}{cut}"

    @property
    def pool_line(self) -> str:
        """The same where users are sent from one pool to another."""
        switched = self.state in (U.OBSERVING, U.COMMITTING, U.DRAINING, U.DONE)
        if self.way == INCOMING:
            return f"new users → {self.to_release}" if switched else "no new users are sent here"
        return "no new users are sent here" if switched else f"new users → {self.from_release}"

    @property
    def failure(self) -> str:
        """What went wrong, in the words of the gateway or the step; "" when nothing did."""
        if self.state is U.FAILED:
            return self.reason or (self.step.error if self.step else "")
        return self.step.error if self.step and self.step.state in (S.DUE, S.CLAIMED, S.FAILED) else ""

    @property
    def step_line(self) -> str:
        """What it does just now; "" when it rests."""
        if self.step is None or self.step.state not in (S.DUE, S.CLAIMED):
            return ""
        return self.step.line


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
    observe_seconds: int = 0  # each of its shares is watched for so long
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

    @cached_property
    def tones(self) -> Counter[str]:
        """How many gateways there are of each colour."""
        return Counter(row.tone for row in self.gateways)

    @property
    def progress(self) -> str:
        """The segments in words."""
        said = Counter(row.word.say.lower() for row in self.gateways)
        return f"{count(len(self.gateways), 'gateway')}: {', '.join(f'{n} {word}' for word, n in said.items())}"
