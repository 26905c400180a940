"""What people do to the bounds. A freeze begins by one person's word; all that loosens or moves a bound needs two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from approvals import audit, changes, rights, windows
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from approvals.windows import DAYS, WindowError
from fleet.models import Pool
from fleet.phrases import listed
from upgrader.models import Budget, Freeze, Window

WINDOW_SET, WINDOW_END, FREEZE_LIFT, BUDGET_SET = "window.set", "window.end", "freeze.lift", "budget.set"
ASK, CONFIRM = "fleet.set_bounds", "fleet.approve_bounds"
REASON_MOST = 2_000
TWICE_WITHIN = timedelta(minutes=1)
YEARS = timedelta(days=3_652)  # near the end of all dates a zone's clock can't be read any more


@dataclass(frozen=True)
class Who:
    """The person who does or asks it, why, and when."""

    by: User
    actor: Actor
    now: datetime
    why: str = ""


def scope_of(pool: Pool | None) -> str:
    return f"pool:{pool.pk}" if pool else rights.EVERYTHING


def name_of(pool: Pool | None) -> str:
    return pool.name if pool else "the fleet"


def begin_freeze(pool: Pool | None, who: Who, *, starts_at: datetime, ends_at: datetime | None) -> Freeze:
    """Freeze a pool, or the fleet, at once: that is the safe direction. The same one again is the one that stands."""
    if not rights.may(who.by, ASK, scope_of(pool)):
        raise Refused(f"You may not freeze {name_of(pool)}: you lack the right {rights.said(ASK)!r} on it.")
    if not who.why.strip():
        raise Refused("Say why: everybody who waits for it reads the reason.")
    if max(starts_at, ends_at or starts_at) > who.now + YEARS:
        raise Refused("A freeze begins and ends within ten years. Leave its end open instead.")
    if ends_at is not None and ends_at <= max(starts_at, who.now):
        raise Refused("The freeze would be over before it begins. Choose a later end, or none.")
    with transaction.atomic():
        # Two clicks at the same moment make one freeze: the second waits here and finds it.
        list(Budget.objects.select_for_update().filter(pool=None))
        same = Freeze.objects.filter(pool=pool, reason=who.why, lifted_at=None).exclude(ends_at__lte=who.now)
        if standing := next((row for row in same if _as_long(row.ends_at, ends_at)), None):
            return standing
        row = Freeze.objects.create(
            pool=pool, reason=who.why, starts_at=starts_at, ends_at=ends_at, made_by=who.by, made_at=who.now
        )
        about = {"freeze": row.pk, "starts_at": starts_at, "ends_at": ends_at}
        _record("freeze.begun", pool, who.actor, now=who.now, reason=who.why, **about)
    return row


def _as_long(one: datetime | None, two: datetime | None) -> bool:
    """The second click on "for 24 h" ends a moment later than the first."""
    return one is two if one is None or two is None else abs(one - two) < TWICE_WITHIN


def ask_lift(freeze: Freeze, who: Who) -> Request:
    """Ask a second person to end a freeze."""
    if freeze.lifted_at is not None:
        raise Refused("This freeze was lifted already.")
    return _ask(
        FREEZE_LIFT,
        freeze.pool,
        who,
        subject=f"freeze:{freeze.pk}",
        payload={"freeze": freeze.pk},
        title=f"Lift the freeze of {name_of(freeze.pool)}",
        lines=[f"{freeze.made_by.username} began it: {freeze.reason}", "What waits for it begins within seconds."],
    )


def lifted(applied: Applied) -> None:
    freeze = Freeze.objects.select_related("pool").get(pk=applied.payload["freeze"])
    if not Freeze.objects.filter(pk=freeze.pk, lifted_at=None).update(lifted_at=applied.now):
        raise Refused("This freeze was lifted already.")
    _record("freeze.lifted", freeze.pool, applied.actor, now=applied.now, freeze=freeze.pk)


def ask_window(pool: Pool | None, who: Who, wanted: Mapping[str, Any], *, instead_of: Window | None = None) -> Request:
    """Ask for a window (title, zone, rules), in addition or instead of one."""
    rules = readable(wanted)
    if not wanted["title"].strip():
        raise Refused("Give the window a name.")
    where = f"window:{instead_of.pk}" if instead_of else f"window:of:{scope_of(pool)}"
    replaced = [f"It takes the place of {instead_of.title}."] if instead_of else []
    return _ask(
        WINDOW_SET,
        pool,
        who,
        subject=where,
        payload={
            **{name: wanted[name] for name in ("title", "zone", "rules")},
            "pool": pool.pk if pool else None,
            "window": instead_of.pk if instead_of else None,
        },
        title=f"Set the window {wanted['title']} of {name_of(pool)}",
        lines=[f"Open {rules}.", *replaced, bound_by(pool)],
    )


def bound_by(pool: Pool | None) -> str:
    if pool is None:
        return "It binds every pool that has no window of its own."
    return f"With a window of its own {pool.name} is no longer bound by the fleet's."


def readable(wanted: Mapping[str, Any]) -> str:
    """The rules as people say them. Refused where they can't be read."""
    try:
        windows.parse(wanted["zone"], wanted["rules"])
    except WindowError as unreadable:
        raise Refused(str(unreadable)) from unreadable
    return f"{listed([rule_say(rule) for rule in wanted['rules']], 8)}, {wanted['zone']}"


def rule_say(rule: Mapping[str, Any]) -> str:
    """ "Mon to Fri 22:00 to 04:00"."""
    indexes = sorted(DAYS.index(day) for day in rule["days"])
    names = [DAYS[index].capitalize() for index in indexes]
    run = len(names) > 2 and indexes[-1] - indexes[0] == len(indexes) - 1
    days = f"{names[0]} to {names[-1]}" if run else listed(names, 7)
    return f"{'every day' if len(names) == len(DAYS) else days} {rule['from']} to {rule['until']}"


def window_set(applied: Applied) -> None:
    asked = applied.payload
    pool = Pool.objects.get(pk=asked["pool"]) if asked["pool"] else None
    readable(asked)
    if asked["window"]:
        _end_window(asked["window"], applied.now)
    row = Window.objects.create(
        pool=pool,
        **{name: asked[name] for name in ("title", "zone", "rules")},
        made_by=applied.asked_by,
        made_at=applied.now,
    )
    about = {"window": row.pk, "title": row.title, "zone": row.zone, "rules": row.rules, "instead_of": asked["window"]}
    _record("window.set", pool, applied.actor, now=applied.now, **about)


def ask_window_end(window: Window, who: Who) -> Request:
    """Ask a second person to end a window."""
    if window.ended_at is not None:
        raise Refused("This window was ended already.")
    left = Window.objects.filter(pool=window.pool, ended_at=None).exclude(pk=window.pk)
    return _ask(
        WINDOW_END,
        window.pool,
        who,
        subject=f"window:{window.pk}",
        payload={"window": window.pk},
        title=f"End the window {window.title} of {name_of(window.pool)}",
        lines=[f"Open {readable_row(window)}."],
        **({} if left.exists() else {"warning": _without(window.pool)}),
    )


def readable_row(window: Window) -> str:
    """A stored window's rules as people say them, or why they can't be read."""
    try:
        return readable({"zone": window.zone, "rules": window.rules})
    except Refused as no:
        return f"never: {no.say.rstrip('.')}"


def _without(pool: Pool | None) -> str:
    if pool and Window.objects.filter(pool=None, ended_at=None).exists():
        return f"It is the last one of {pool.name}: the fleet's windows bind it then."
    return f"It is the last one of {name_of(pool)}: rollouts may begin at all times then."


def window_ended(applied: Applied) -> None:
    window = Window.objects.select_related("pool").get(pk=applied.payload["window"])
    _end_window(window.pk, applied.now)
    _record("window.ended", window.pool, applied.actor, now=applied.now, window=window.pk, title=window.title)


def _end_window(pk: int, now: datetime) -> None:
    if not Window.objects.filter(pk=pk, ended_at=None).update(ended_at=now):
        raise Refused("This window was changed or ended meanwhile. Look at it again.")


def ask_budget(pool: Pool | None, who: Who, wanted: Mapping[str, int | None]) -> Request:
    """Ask for another budget: gateways_percent, sessions and rollback_gateways; None is without a limit."""
    percent = wanted["gateways_percent"]
    if percent is None or not 1 <= percent <= 100:
        raise Refused("The share of gateways that may be out is 1 to 100 percent.")
    before = Budget.objects.filter(pool=pool).first()
    if before and all(getattr(before, name) == wanted[name] for name in BUDGET_COLUMNS):
        raise Refused(f"The budget of {name_of(pool)} is so already.")
    was = [f"Now: {budget_say(before)}"] if before else [f"{name_of(pool).capitalize()} has no budget of its own now."]
    return _ask(
        BUDGET_SET,
        pool,
        who,
        subject=f"budget:{scope_of(pool)}",
        payload={"pool": pool.pk if pool else None, **{name: wanted[name] for name in BUDGET_COLUMNS}},
        title=f"Set the budget of {name_of(pool)}",
        lines=[*was, f"Then: {budget_say(Budget(**wanted))}"],
    )


BUDGET_COLUMNS = ("gateways_percent", "sessions", "rollback_gateways")


def budget_say(row: Budget) -> str:
    sessions = "any number of sessions" if row.sessions is None else f"{row.sessions:,} sessions"
    back = row.rollback_gateways
    alone = "of any size" if back is None else f"of more than {back} gateways"
    one = "needs no second person" if back is None else "needs a second person"
    return f"{row.gateways_percent} % of the gateways may be out, {sessions} at risk; a rollback {alone} {one}."


def budget_locked(_: Mapping[str, Any]) -> None:
    """The fleet's row first, as budgets.demand takes it."""
    list(Budget.objects.select_for_update().filter(pool=None))


def budget_set(applied: Applied) -> None:
    asked = applied.payload
    values = {name: asked[name] for name in BUDGET_COLUMNS}
    pool = Pool.objects.get(pk=asked["pool"]) if asked["pool"] else None
    Budget.objects.update_or_create(pool=pool, defaults={**values, "made_at": applied.now})
    _record("budget.set", pool, applied.actor, now=applied.now, **values)


def _ask(kind: str, pool: Pool | None, who: Who, *, lines: Sequence[str], **proposal: Any) -> Request:
    about = {"scope": scope_of(pool), "lines": list(lines), "why": who.why, **proposal}
    return changes.propose(kind, by=who.by, actor=who.actor, now=who.now, **about)


def _record(verb: str, pool: Pool | None, actor: Actor, *, now: datetime, reason: str = "", **details: Any) -> None:
    subject = f"pool:{pool.pk}" if pool else "fleet"
    audit.append(verb, subject=subject, actor=actor, at=now, reason=reason, details=details)
