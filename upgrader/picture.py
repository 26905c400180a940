"""What a page shows of one rollout, as values: the selectors fill it, why.py and actions.py read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from fleet.words import Word
from upgrader import words
from upgrader.back import STAYS, because
from upgrader.flow import OUTGOING
from upgrader.rows import AT_WORK as AT_WORK
from upgrader.rows import CARRIES as CARRIES
from upgrader.rows import TOUCHED as TOUCHED
from upgrader.rows import GatewayRow as GatewayRow
from upgrader.rows import Judged as Judged
from upgrader.rows import Step as Step
from upgrader.rows import WaveRow as WaveRow
from upgrader.states import ACTION_STATES, DRAINS, R, U, W
from upgrader.strategy import Drain


@dataclass(frozen=True)
class Asked:
    """A question to people beside the approval: to roll back, or to cut users."""

    state: str  # open, approved, rejected, void, expired
    digest: str
    by: str
    own: bool  # the one who looks asked it
    at: datetime
    expires_at: datetime
    why: str
    summary: Mapping[str, Any] = field(default_factory=dict)
    said_by: str = ""  # who answered last
    said: str = ""  # his reason

    def is_open(self, now: datetime) -> bool:
        return self.state == "open" and now < self.expires_at

    def expired(self, now: datetime) -> bool:
        return self.state == "expired" or (self.state == "open" and now >= self.expires_at)


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
    state_migration: bool = False
    downgrade: str = ""  # plan.downgrade_say
    held_from: str = ""
    decide_until: datetime | None = None
    request_state: str = ""
    kind: str = "canary"
    shares: str = "machine"
    failures_max: int = 0
    waits: str = ""  # why nothing new begins now: a window, a freeze, a budget
    promoted_to: int = 0
    drain: Drain = Drain(deadline_hours=24.0)
    reloads: bool = False  # only a configuration goes along and is read again: there is no old slot
    between: tuple[str, ...] = ()  # the pool that served and the idle one, where it switches between two
    back: Asked | None = None  # the newest question about rolling back
    cut_asked: Asked | None = None  # the newest question about cutting users
    most_alone: int | None = None  # gateways that one person may take back; None: any number

    @property
    def word(self) -> Word:
        """The state's; what was let go and may not begin says so, and what waits for a second person."""
        asked = (self.back, "agree_back"), (self.cut_asked, "agree_cut")
        if any(one and one.state == "open" and self.state in ACTION_STATES[action] for one, action in asked):
            return words.ASKED
        held_up = self.state is R.UPGRADING and self.waits and self.current and self.current.state is W.PLANNED
        return words.WAITS if held_up else words.ROLLOUT[self.state]

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
    def users(self) -> int:
        """Users on its gateways when the plan was drawn."""
        return sum(wave.planned_sessions for wave in self.waves)

    @cached_property
    def sessions(self) -> int:
        """Users on the gateways that the rollout has touched, now."""
        return sum(row.sessions for row in self.touched)

    @cached_property
    def untouched(self) -> int:
        return len(self.gateways) - len(self.touched)

    @cached_property
    def carrying(self) -> int:
        """Gateways that serve the new release for good."""
        return sum(row.state in CARRIES and row.way != OUTGOING for row in self.gateways)

    @cached_property
    def bringing(self) -> int:
        """Gateways that are to serve it: not those that only lose their new users to them."""
        return sum(row.way != OUTGOING for row in self.gateways)

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
    def goes_back(self) -> tuple[GatewayRow, ...]:
        """What an abort takes back: touched, and its old slot is still there. Between two pools both of them."""
        return tuple(row for row in self.touched if row.state not in STAYS or self.between)

    def second_person(self, rows: tuple[GatewayRow, ...]) -> str:
        """Why taking these back needs a second person; "" when it does not."""
        cut = sum(row.cuts for row in rows)
        return because(len(rows), sum(row.gone for row in rows), self.most_alone, cut=cut)

    @cached_property
    def reconnect(self) -> int:
        """Users whose session ends when everything goes back: one release at a time serves on their gateway."""
        return sum(row.cuts for row in self.touched)

    def overdue(self, now: datetime) -> tuple[GatewayRow, ...]:
        """Drains whose time is over and about which nothing was agreed that would end them."""
        mine = [row for row in self.gateways if row.state in DRAINS and row.way != OUTGOING]
        late = [row for row in mine if row.drain_until and row.drain_until <= now]
        return tuple(row for row in late if (row.drain_left or 0) > row.cut_at_most or row.drain_left is None)
