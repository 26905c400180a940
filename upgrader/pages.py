"""What every page of a rollout is given: one context for the page, its refresh and the answer to a POST."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from approvals.models import User
from approvals.story import tell
from releases import downgrades
from upgrader import bounds, drifted, selectors
from upgrader.actions import Offer, offers
from upgrader.models import Rollout
from upgrader.picture import Picture, WaveRow
from upgrader.plan import config_say, downgrade_say
from upgrader.states import R, U, W
from upgrader.why import why

SEGMENTS = 40  # gateways of a wave that are drawn one by one; more are drawn as shares

FINISHED = frozenset({R.DONE, R.ROLLED_BACK, R.REJECTED})


def rollout_context(rollout: Rollout, user: User, *, now: datetime, wave: int = 0) -> dict[str, Any]:
    """Everything that upgrader/_rollout_now.html reads. `wave`: the one to look at; 0 is the one at work."""
    seen = selectors.picture(rollout, user, close_up=wave)
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
        "rows": [row for row in rows if row.close],
        "rows_left": len(rows) - sum(row.close for row in rows),
        "all_rows": rows is seen.gateways,
        "segments": SEGMENTS,
        "finished": seen.state in FINISHED,
        "bound": bounds.warnings(rollout, now=now),
        "warnings": [] if seen.state in FINISHED else warnings(rollout.plan),
        "chart": looked_at is not None and looked_at.state is not W.PLANNED,
        "log": [tell(event, names(seen)) for event in selectors.happened(rollout, seen)],
    }


def warnings(plan: Mapping[str, Any]) -> list[str]:
    """What must not be overlooked about a plan."""
    return [say for say in (downgrade_say(plan), drifted.plan_say(plan), config_say(plan)) if say]


def names(seen: Picture) -> dict[str, str]:
    """What this rollout's page calls the subjects of its events."""
    waves = {f"wave:{row.id}": f"wave {row.number}" for row in seen.waves}
    return waves | {f"upgrade:{row.id}": row.name for row in seen.gateways} | {f"rollout:{seen.id}": "the rollout"}


def watched(seen: Picture) -> WaveRow | None:
    """The wave that the page looks at: the one at work, else the last that was."""
    at_work = [row for row in seen.waves if row.state not in (W.PLANNED, W.PASSED, W.ROLLED_BACK)]
    begun = [row for row in seen.waves if any(gateway.state is not U.PLANNED for gateway in row.gateways)]
    return next(iter(at_work or begun[::-1] or seen.waves), None)


def decision_context(rollout: Rollout, user: User, *, action: str, now: datetime) -> dict[str, Any]:
    """Everything that the decision page reads: the rollout's, and the offers that are to be decided between."""
    context = rollout_context(rollout, user, now=now)
    every = {offer.action: offer for offer in offers(context["seen"], now)}
    asked = decided(context["seen"], every, action)
    other = every["reject"] if asked and asked.action == "approve" else None
    missing = downgrades.missing(rollout.release, now=now) if context["seen"].downgrade else ""
    return context | {"asked": asked, "other": other, "word_missing": missing}


def decided(seen: Picture, every: dict[str, Offer], action: str) -> Offer | None:
    """The offer that this page is about: the one that was asked for, else the one that the state calls for."""
    if action in every and every[action].shown:
        return every[action]
    order = ["approve", "promote", "roll_back"] if seen.state is not R.FAILED else ["roll_back"]
    return next((every[name] for name in order if every[name].shown and not every[name].reason), None)
