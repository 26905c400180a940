"""What every page of a rollout is given: one context for the page, its refresh and the answer to a POST."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from approvals.models import User
from approvals.names import told
from approvals.story import tell
from fleet.words import Word
from releases import downgrades
from upgrader import bounds, complaint_pages, deciding, drifted, selectors, undo
from upgrader.actions import ANSWERS, Offer, offers
from upgrader.facts import facts
from upgrader.models import Rollout
from upgrader.picture import Picture, WaveRow
from upgrader.plan import config_say, downgrade_say
from upgrader.row_actions import row_offers
from upgrader.states import R, U, W
from upgrader.until import MIGRATES, ends_say, rollback_until
from upgrader.why import why
from upgrader.words import ASKED, ROLLOUT, UPGRADE, WAVE

SEGMENTS = 40  # gateways of a wave that are drawn one by one; more are drawn as shares

STATES: tuple[tuple[str, Mapping[Any, Word]], ...] = (("rollout", ROLLOUT), ("wave", WAVE), ("upgrade", UPGRADE))
SAID = {(noun, str(state)): word.say.lower() for noun, words in STATES for state, word in words.items()}
FINISHED = frozenset({R.DONE, R.ROLLED_BACK, R.REJECTED})


def rollout_context(rollout: Rollout, user: User, *, now: datetime, wave: int = 0) -> dict[str, Any]:
    """Everything that upgrader/_rollout_now.html reads. `wave`: the one to look at; 0 is the one at work."""
    seen = selectors.picture(rollout, user, now=now, close_up=wave)
    looked_at = next((row for row in seen.waves if row.number == wave), None) or watched(seen)
    rows = seen.gateways if len(seen.gateways) <= 12 else (looked_at.gateways if looked_at else ())
    shown = [offer for offer in offers(seen, now) if offer.shown]
    return {
        "rollout": rollout,
        "seen": seen,
        "now": now,
        "why": why(seen, now),
        "offers": shown,
        "wave": looked_at,
        "asked_wave": wave,
        "rows": [{"row": row, "offers": row_offers(seen, row, now)} for row in rows if row.close],
        "until": rollback_until(seen, now),
        "late": late(seen, now),
        "rows_left": len(rows) - sum(row.close for row in rows),
        "all_rows": rows is seen.gateways,
        "segments": SEGMENTS,
        "finished": seen.state in FINISHED,
        "bound": bounds.warnings(rollout, now=now),
        "warnings": [] if seen.state in FINISHED else [*warnings(rollout.plan), *migrating(seen)],
        "ends": ending(seen, now),
        "chart": looked_at is not None and looked_at.state is not W.PLANNED,
        **complaint_pages.of_rollout(rollout, user, now),
        "undo": undo.undo(rollout, user, now=now),
        "log": told(tell(event, names(seen), said=SAID) for event in selectors.happened(rollout, seen)),
    }


def warnings(plan: Mapping[str, Any]) -> list[str]:
    """What must not be overlooked about a plan."""
    return [say for say in (downgrade_say(plan), drifted.plan_say(plan), config_say(plan)) if say]


def migrating(seen: Picture) -> list[str]:
    """That there is no quick way back at all: said as long as a person may still say no to it."""
    return [MIGRATES] if seen.state_migration and seen.state in (R.PLANNED, R.WAITING_APPROVAL) else []


def ending(seen: Picture, now: datetime) -> list[str]:
    """When the quick way back ends: said as long as a person may still say no to it."""
    say = ends_say(seen, now) if seen.state in (R.PLANNED, R.WAITING_APPROVAL) else ""
    return [say] if say else []


def late(seen: Picture, now: datetime) -> dict[str, Any]:
    """The drains whose time is over, in numbers; empty when there is none."""
    rows = seen.overdue(now)
    return {"rows": rows, "users": sum(row.drain_left or 0 for row in rows), "word": ASKED} if rows else {}


def names(seen: Picture) -> dict[str, str]:
    """What this rollout's page calls the subjects of its events."""
    waves = {f"wave:{row.id}": f"wave {row.number}" for row in seen.waves}
    return waves | {f"upgrade:{row.id}": row.name for row in seen.gateways} | {f"rollout:{seen.id}": "the rollout"}


def watched(seen: Picture) -> WaveRow | None:
    """The wave that the page looks at: the one at work, else the last that was."""
    at_work = [row for row in seen.waves if row.state not in (W.PLANNED, W.PASSED, W.ROLLED_BACK)]
    begun = [row for row in seen.waves if any(gateway.state is not U.PLANNED for gateway in row.gateways)]
    return next(iter(at_work or begun[::-1] or seen.waves), None)


def decision_context(rollout: Rollout, user: User, *, action: str, now: datetime, gateway: int = 0) -> dict[str, Any]:
    """Everything that the decision page reads: the rollout's, and the offers that are to be decided between.

    `gateway`: the upgrade that is meant, where the action is about one.
    """
    context = rollout_context(rollout, user, now=now)
    seen: Picture = context["seen"]
    every = {offer.action: offer for offer in offers(seen, now)}
    row = next((row for row in seen.gateways if row.id == gateway), None)
    if row is not None:
        every |= {offer.action: offer for offer in row_offers(seen, row, now)}
    asked = decided(seen, every, action)
    other = every[ANSWERS[asked.action]] if asked and asked.action in ANSWERS else None
    missing = downgrades.missing(rollout.release, now=now) if seen.downgrade else ""
    about: dict[str, Any] = {"facts": facts(seen, asked, now, row), "query": query_of(asked), "word_missing": missing}
    questions = [asked.action, action] if asked else [action, "approve"]
    about |= {"deciding": deciding.read(rollout, questions, now=now)}
    about |= {"alone": deciding.may_alone(rollout, user, now=now), "config_diff": deciding.config_diff(rollout)}
    return context | {"asked": asked, "other": other, **about}


def query_of(asked: Offer | None) -> str:
    """The query that asks for this decision again."""
    return f"?{urlencode([('do', asked.path), *asked.fields])}" if asked else ""


def decided(seen: Picture, every: dict[str, Offer], action: str) -> Offer | None:
    """The offer that this page is about: the one that was asked for, else the one that the state calls for."""
    yes = next((every[yes] for yes, no in ANSWERS.items() if no == action), None)
    if yes is not None and yes.shown and yes.enabled:
        return yes  # a no that was refused for want of a reason must not take the yes away
    if action in every and every[action].shown:
        return every[action]
    order = ["approve", "agree_back", "agree_cut", "promote", "extend", "roll_back"]
    if seen.state is R.FAILED:
        order = ["agree_back", "roll_back"]
    return next((every[name] for name in order if every[name].shown and not every[name].reason), None)
