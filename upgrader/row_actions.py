"""What can be done about one gateway of a rollout: try again, leave out, take in again. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from fleet.phrases import count
from upgrader.actions import WHO, Offer
from upgrader.picture import GatewayRow, Picture
from upgrader.states import ACTION_STATES, R, U, W

SKIPS = frozenset({U.PLANNED, U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.FAILED})
ROW_ACTIONS = ("retry", "skip", "take_in")


def row_offers(seen: Picture, row: GatewayRow, now: datetime) -> list[Offer]:
    """What makes sense on this gateway; what the one who looks may not do has its reason."""
    made = {"retry": retry(seen, row), "skip": skip(row), "take_in": take_in(seen, row)}
    return [
        replace(offer, reason=why_not(seen, action) or offer.reason, fields=(("gateway", str(row.id)),))
        for action, offer in made.items()
        if offer and seen.state in ACTION_STATES[action]
    ]


def why_not(seen: Picture, action: str) -> str:
    return "" if action in seen.may else f"needs {WHO[action]} on {seen.pool}"


def plain(action: str, label: str, effect: str, *, decision: bool = False) -> Offer:
    return Offer(action, label, effect, "", "plain", shown=True, decision=decision, needs_reason=decision)


def retry(seen: Picture, row: GatewayRow) -> Offer | None:
    if row.state is not U.FAILED:
        return None
    others = len(seen.failed) - 1
    if seen.state is not R.HELD:
        then = "the step that failed, again"
    elif others:
        then = f"starts when the rollout is resumed: {count(others, 'other gateway')} failed too"
    else:
        then = "the step that failed, again; the rollout goes on with it"
    return plain("retry", f"Retry {row.name}", then)


def skip(row: GatewayRow) -> Offer | None:
    if row.state not in SKIPS:
        return None
    users = count(row.sessions, "user")
    if row.state is U.PLANNED:
        effect = "nothing is done there"
    elif row.cuts:
        why = f"going back cuts its {users}: roll back or abort, which asks a second person"
        return replace(plain("skip", f"Leave out {row.name}", "needs two people", decision=True), reason=why)
    else:
        effect = f"goes back first; {users} stay"
    return plain("skip", f"Leave out {row.name}", effect, decision=True)


def take_in(seen: Picture, row: GatewayRow) -> Offer | None:
    wave = next((wave for wave in seen.waves if row in wave.gateways), None)
    if row.state is not U.SKIPPED or row.to_slot is not None or row.skip or wave is None:
        return None
    if wave.state not in (W.PLANNED, W.UPGRADING):
        return None
    return plain("take_in", f"Take in {row.name} again", "it gets its turn in its wave")
