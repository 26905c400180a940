"""Which events of the record are told, and under which name. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from upgrader.states import R

TEST = "webhook.test"
ROLLOUT = {
    R.WAITING_APPROVAL: "rollout.awaiting_approval",
    R.UPGRADING: "rollout.upgrading",
    R.WAITING_PROMOTION: "rollout.wave.awaiting_approval",
    R.HELD: "rollout.held",
    R.DRAINING: "rollout.draining",
    R.DONE: "rollout.done",
    R.ROLLING_BACK: "rollout.rolling_back",
    R.ROLLED_BACK: "rollout.rolled_back",
    R.REJECTED: "rollout.rejected",
    R.FAILED: "rollout.failed",
}
OTHERS = {
    "rollout.drafted": "rollout.drafted",
    "approval.asked": "approval.asked",
    "approval.approved": "approval.approved",
    "approval.rejected": "approval.rejected",
    "approval.expired": "approval.expired",
    "release.added": "release.added",
    "release.passed": "release.passed_on",
    "release.yanked": "release.withdrawn",
    "freeze.begun": "freeze.begun",
    "freeze.lifted": "freeze.lifted",
    "gateway.enrolled": "gateway.enrolled",
    "gateway.left": "gateway.left",
}
MOVED = "rollout.moved"
VERBS = (MOVED, *OTHERS)
"""Of the record: all that can be told."""
EVENTS = tuple(sorted({*ROLLOUT.values(), *OTHERS.values()}))
"""Names that an endpoint chooses among."""


def name_of(verb: str, details: Mapping[str, Any]) -> str:
    """What the event is called outside; "" for one that is not told."""
    if verb != MOVED:
        return OTHERS.get(verb, "")
    after = str(details.get("after", ""))
    return ROLLOUT[R(after)] if after in R.__members__.values() and R(after) in ROLLOUT else ""


def body_of(name: str, event: Mapping[str, Any], *, page: str) -> str:
    """{"type", "timestamp", "data"} as Standard Webhooks has it; `event` is the record's body, as it was hashed."""
    actor = event.get("actor", {})
    data = {
        "event": event.get("seq"),
        "subject": event.get("subject"),
        "by": actor.get("name"),
        "by_person": actor.get("kind") == "person",
        "reason": event.get("reason", ""),
        "details": event.get("details", {}),
        "page": page,
    }
    return written(name, event.get("at"), data)


def test_body(endpoint: str, at: datetime) -> str:
    """A message that says only that messages come through."""
    return written(TEST, at.isoformat(), {"say": f"If you can read this, events reach {endpoint}."})


def written(name: str, at: object, data: Mapping[str, Any]) -> str:
    said = {"type": name, "timestamp": at, "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
