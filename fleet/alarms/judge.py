"""From values to what fires: for how long a limit is passed, and at which other value it is over. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.alarms.rules import Rule

BLIND_SECONDS = 600.0  # a rule that can't be judged for so long on a gateway is an alert of its own


@dataclass(frozen=True)
class Stand:
    """How a rule stands with a gateway that is not well. `since`: epoch seconds."""

    since: float
    firing: bool
    value: float | None


def judged(rule: Rule, before: Stand | None, value: float | None, now: float) -> Stand | None:
    """The next stand; None: it is well. `value` None: not known, which neither begins nor ends anything."""
    if value is None:
        return before if before and before.firing else None
    if before and before.firing:
        return None if is_clear(rule, value) else Stand(before.since, firing=True, value=value)
    if not is_beyond(rule, value):
        return None
    since = before.since if before else now
    return Stand(since, firing=now - since >= rule.for_seconds, value=value)


def blind(before: Stand | None, now: float, *, is_blind: bool) -> Stand | None:
    """The same for a rule that can't be judged although the gateway answers."""
    if not is_blind:
        return None
    since = before.since if before else now
    return Stand(since, firing=now - since >= BLIND_SECONDS, value=None)


def is_beyond(rule: Rule, value: float) -> bool:
    """Equal is allowed."""
    return value > rule.threshold if rule.above else value < rule.threshold


def is_clear(rule: Rule, value: float) -> bool:
    """Equal is clear."""
    return value <= rule.clears_at if rule.above else value >= rule.clears_at
