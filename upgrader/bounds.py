"""When nothing new may begin: freezes and windows, read once for all rollouts of a tick.

They bind what begins, never what goes back. Drafting and approving are free: what is approved begins by itself when it
may, as long as the approval may be used.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Q, QuerySet

from approvals import audit, rights, windows
from approvals.errors import Refused
from approvals.models import Actor, Decision, User
from approvals.windows import WindowError
from fleet.models import Pool
from fleet.phrases import clock, duration, listed, sentence
from upgrader.models import Freeze, Rollout, Window
from upgrader.states import R

log = logging.getLogger(__name__)
Kind = Literal["freeze", "window", "unreadable"]
THROUGH = "fleet.pass_freeze"
USE_WITHIN = timedelta(days=7)  # of a request that is not made yet: approvals.services.ask
RUNS = (R.UPGRADING, R.WAITING_PROMOTION, R.HELD, R.DRAINING)
STEPS = 40  # freezes and closed times that are looked through for the next moment at which something may begin


@dataclass(frozen=True)
class Blocked:
    """Why nothing new begins on a pool, and until when at least; None: until somebody does something."""

    kind: Kind
    say: str
    until: datetime | None = None


@dataclass(frozen=True)
class Frozen:
    """A freeze that nobody has lifted and that is not over."""

    id: int
    pool: int | None
    reason: str
    by: str
    starts_at: datetime
    ends_at: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass
class Calendar:
    """The windows that bind one pool: its own, or the fleet's where it has none."""

    titles: list[str] = field(default_factory=list)
    windows: list[windows.Window] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)  # sentences

    def may(self, at: datetime) -> bool:
        return not self.unreadable and (not self.windows or windows.is_open(self.windows, at))


@dataclass(frozen=True)
class Bounds:
    """All bounds as they stood at `now`."""

    now: datetime
    pools: Mapping[int, str]
    freezes: Sequence[Frozen]
    calendars: Mapping[int | None, Calendar]  # None: the fleet's

    def why_not(self, pool_id: int | None, passes: Collection[int] = ()) -> Blocked | None:
        """Why nothing new may begin on the pool now (None: on pools without bounds of their own); None when it may.

        `passes`: freezes that let this one through.
        """
        if frozen := self.frozen(pool_id, self.now, passes):
            return Blocked("freeze", self._freeze_say(frozen), frozen.ends_at)
        calendar = self.calendar(pool_id)
        if calendar.unreadable:
            return Blocked("unreadable", f"{calendar.unreadable[0]} Nothing begins until that is mended.")
        if calendar.may(self.now):
            return None
        opens = windows.changes_at(calendar.windows, self.now)
        return Blocked("window", self._window_say(pool_id, calendar, opens), opens)

    def begins_at(self, pool_id: int, passes: Collection[int] = ()) -> datetime | None:
        """The first moment from now on at which something may begin, by what is known now; None: nobody can say."""
        at, calendar = self.now, self.calendar(pool_id)
        for _ in range(STEPS):
            frozen = self.frozen(pool_id, at, passes)
            if frozen is None and calendar.may(at):
                return at
            later = frozen.ends_at if frozen else windows.changes_at(calendar.windows, at)
            if calendar.unreadable or later is None:
                return None
            at = later
        return None

    def frozen(self, pool_id: int | None, at: datetime, passes: Collection[int] = ()) -> Frozen | None:
        """The freeze that ends last of those that hold the pool at that moment."""
        held = [it for it in self.freezes if it.pool in (None, pool_id) and it.id not in passes and it.holds(at)]
        return max(held, key=lambda it: (it.ends_at is None, it.ends_at or it.starts_at), default=None)

    def calendar(self, pool_id: int | None) -> Calendar:
        return self.calendars.get(pool_id) or self.calendars.get(None) or Calendar()

    def _freeze_say(self, frozen: Frozen) -> str:
        where = "The fleet" if frozen.pool is None else self.pools.get(frozen.pool, "The pool")
        until = f"until {clock(frozen.ends_at, self.now)} UTC" if frozen.ends_at else "until somebody lifts it"
        left = f" (in {duration((frozen.ends_at - self.now).total_seconds())})" if frozen.ends_at else ""
        return f"{where} is frozen {until}{left}, by {frozen.by}: {frozen.reason}"

    def _window_say(self, pool_id: int | None, calendar: Calendar, opens: datetime | None) -> str:
        name = self.pools.get(pool_id or 0, "the fleet")
        if opens is None:
            return f"The window of {name} is closed, and its rules open it at no time in the coming weeks."
        zone = next(window.zone for window in calendar.windows if window.has(opens))
        return f"The window of {name} is closed: it opens {opens_say(opens, self.now, str(zone))}."


def opens_say(opens: datetime, now: datetime, zone: str) -> str:
    """ "at 22:00 Europe/Berlin (in 7 h 12 min)", with the day when it is not today's there."""
    there, here = opens.astimezone(windows.parse_zone(zone)), now.astimezone(windows.parse_zone(zone))
    day = "" if there.date() == here.date() else f"on {there:%a %d %b} "
    return f"{day}at {there:%H:%M} {zone} (in {duration((opens - now).total_seconds())})"


def read(now: datetime) -> Bounds:
    """Read all windows and freezes, in three queries."""
    calendars: dict[int | None, Calendar] = {}
    for row in Window.objects.filter(ended_at=None):
        calendar = calendars.setdefault(row.pool_id, Calendar())
        calendar.titles.append(row.title)
        try:
            calendar.windows.append(windows.parse(row.zone, row.rules))
        except WindowError as unreadable:
            calendar.unreadable.append(f"The window {row.title} can't be read: {unreadable}")
    standing = Freeze.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), lifted_at=None)
    names = "pk", "pool_id", "reason", "made_by__username", "starts_at", "ends_at"
    freezes = [Frozen(*values) for values in standing.values_list(*names)]
    return Bounds(now, dict(Pool.objects.values_list("pk", "name")), freezes, calendars)


def passes_of(plan: Mapping[str, Any]) -> tuple[int, ...]:
    """The freezes that the plan lets its rollout through: those it names, if its strategy is an emergency's."""
    return tuple(plan.get("passes", ())) if plan["spec"].get("emergency") is True else ()


def passes_for(pool: Pool, spec: Mapping[str, Any], now: datetime) -> list[int]:
    """The freezes that hold the pool now, for a plan whose strategy may pass them; a later one is passed by nobody."""
    if spec.get("emergency") is not True:
        return []
    return sorted(it.id for it in read(now).freezes if it.pool in (None, pool.pk) and it.holds(now))


def refuse_beginning(rollout: Rollout, then: str, *, now: datetime) -> None:
    """Raise Refused while nothing may begin on the rollout's pool. `then`: the sentence that says what may be done
    after that."""
    if blocked := read(now).why_not(rollout.pool_id, passes_of(rollout.plan)):
        raise Refused(f"{sentence(blocked.say)} {then}")


def may_pass(person: User, rollout: Rollout) -> bool:
    """Whether this person's yes is enough for the freezes that the rollout's plan passes; his shift may be over."""
    return not passes_of(rollout.plan) or rights.holds(person, THROUGH, f"pool:{rollout.pool_id}")


def check_pass(person: User, rollout: Rollout) -> None:
    """Raise Refused where the plan passes a freeze and this person may not let it."""
    if passes_of(rollout.plan) and not rights.may(person, THROUGH, f"pool:{rollout.pool_id}"):
        raise Refused(
            f"{passes_say(rollout.plan)} You lack the right {rights.said(THROUGH)!r} on {rollout.pool}."
            " Ask somebody who has it."
        )


def record_pass(rollout: Rollout, *, actor: Actor, now: datetime) -> None:
    """Say on the record, and in the log, which freezes a yes lets the rollout through. In the yes's transaction."""
    if passes := passes_of(rollout.plan):
        say = passes_say(rollout.plan)
        log.warning("rollout %s: %s", rollout.pk, say)
        details = {"rollout": rollout.pk, "freezes": list(passes)}
        audit.append("freeze.passed", subject=f"rollout:{rollout.pk}", actor=actor, at=now, reason=say, details=details)


def passes_say(plan: Mapping[str, Any]) -> str:
    """What must not be overlooked about a plan that passes freezes; "" when it passes none."""
    rows = Freeze.objects.filter(pk__in=passes_of(plan)).select_related("made_by", "pool")
    named = [f"{row.pool or 'the fleet'}, by {row.made_by.username}: {row.reason}" for row in rows]
    if not named:
        return ""
    whose = "a freeze" if len(named) == 1 else f"{len(named)} freezes"
    return f"EMERGENCY: this goes on through {whose} ({'; '.join(named)}). Who approves it needs the right to pass one."


def warnings(rollout: Rollout, *, now: datetime) -> list[str]:
    """What a rollout's page says of the bounds before it is approved: which freeze it passes, what makes it wait."""
    if rollout.state not in (R.PLANNED, R.WAITING_APPROVAL):
        return []
    until = rollout.request.use_until if rollout.request else None
    says = passes_say(rollout.plan), wait_say(rollout.plan, rollout.pool_id, now=now, until=until)
    return [say for say in says if say]


def wait_say(plan: Mapping[str, Any], pool_id: int, *, now: datetime, until: datetime | None = None) -> str:
    """Why a plan that is approved now would not begin now, when it would, and whether the yes lasts until then.

    `until` is when a yes stops to count; None: it is not asked yet.
    """
    read_now, passes = read(now), passes_of(plan)
    blocked = read_now.why_not(pool_id, passes)
    if blocked is None:
        return ""
    begins = read_now.begins_at(pool_id, passes)
    if begins is None:
        return f"{blocked.say} It may be approved now and begins by itself once that is over."
    until = until or now + USE_WITHIN
    if begins >= until:
        return f"{blocked.say} A yes given now may be used until {clock(until, now)} UTC only: submit it later."
    return f"{blocked.say} It may be approved now and begins by itself at {clock(begins, now)} UTC."


@dataclass(frozen=True)
class Through:
    """A rollout that goes on through freezes that hold now."""

    rollout: int
    say: str


def through(rollouts: QuerySet[Rollout], *, now: datetime) -> list[Through]:
    """Those of the rollouts that pass a freeze at this moment, for the band on every page."""
    running = rollouts.filter(state__in=RUNS, strategy__spec__emergency=True).select_related("request", "pool")
    found = []
    for rollout in running.order_by("pk")[:20]:
        rows = Freeze.objects.filter(pk__in=passes_of(rollout.plan), starts_at__lte=now, lifted_at=None)
        reasons = [row.reason.rstrip(".") for row in rows.exclude(ends_at__lte=now)]
        if reasons:
            yes = rollout.request.decisions.filter(yes=True) if rollout.request else Decision.objects.none()
            names = listed([name for (name,) in yes.values_list("by__username")]) or "nobody"
            whose = (
                f"the freeze of {rollout.pool}" if len(reasons) == 1 else f"{len(reasons)} freezes of {rollout.pool}"
            )
            found.append(Through(rollout.pk, f"goes on through {whose}: {'; '.join(reasons)}. Approved by {names}."))
    return found
