"""An entry of the record as a person reads it. Pure but for the row; the hashed body is the only source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.models import AuditEvent

SAYS: dict[str, str] = {
    "approval.asked": "asked for approval",
    "approval.approved": "approved",
    "approval.rejected": "rejected",
    "approval.answered": "said yes; more have to",
    "approval.voided": "the approval became void",
    "approval.expired": "the question ended unanswered",
    "rollout.drafted": "drew the plan",
    "strategy.added": "added a strategy",
    "strategy.retired": "retired a strategy",
    "rollout.promoted": "promoted the next wave",
    "rollback.asked": "asked to roll back",
    "drain.cut_asked": "asked to cut users",
    "drain.cut_agreed": "agreed to cut users",
    "drain.extended": "gave the drain more hours",
    "freeze.begun": "began a freeze",
    "freeze.lifted": "lifted a freeze",
    "window.set": "set a window",
    "window.ended": "ended a window",
    "budget.set": "set a budget",
    "step.done": "finished a step",
    "step.failed": "a step failed",
    "alert.opened": "found drift",
    "alert.changed": "found that the drift changed",
    "alert.ended": "found the drift gone",
    "alert.raised": "called a person",
    "alert.repeated": "called a person again",
    "alert.settled": "calls nobody any more",
    "agreement.noted": "noted what is agreed",
    "drift.put_back": "had drift put back",
    "errand.sent": "asked gateways to follow",
    "errand.done": "a gateway followed",
    "errand.failed": "a gateway refused",
    "errand.again": "asked a gateway again",
    "session.signed_in": "signed in",
    "session.signed_out": "signed out",
    "session.refused": "was refused at sign-in",
}


@dataclass(frozen=True)
class Told:
    """Who did what to what, when, why, on which evidence."""

    seq: int
    at: datetime
    who: str
    person: bool
    what: str
    about: str
    reason: str
    verb: str
    subject: str
    details: Mapping[str, Any]

    @property
    def moved(self) -> bool:
        """Something changed its state, and the reason is a sentence of its own."""
        return self.verb.endswith(".moved") and bool(self.reason)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The details in a fixed order, as text."""
        return [(key.replace("_", " "), _plain(value)) for key, value in sorted(self.details.items())]


Said = Mapping[tuple[str, str], str]


def tell(event: AuditEvent, names: Mapping[str, str] | None = None, *, said: Said | None = None) -> Told:
    """Return the event in words. `names` calls subjects what their page calls them: {"wave:15": "wave 1"}, and `said`
    their states: {("wave", "passed"): "passed"}.
    """
    body = json.loads(event.body)
    actor, details = body.get("actor", {}), body.get("details", {})
    noun, _, number = event.subject.partition(":")
    return Told(
        seq=event.seq,
        at=event.at,
        who=str(actor.get("name", event.actor)),
        person=actor.get("kind") == "person",
        what=_what(event.verb, details, noun, said or {}),
        about=str(details.get("gateway") or (names or {}).get(event.subject) or f"{noun} {number}".strip()),
        reason=event.reason,
        verb=event.verb,
        subject=event.subject,
        details=details,
    )


def _what(verb: str, details: Mapping[str, Any], noun: str, said: Said) -> str:
    if "after" in details:
        states = (str(details.get(key, "?")) for key in ("before", "after"))
        return " → ".join(said.get((noun, state)) or state.replace("_", " ") for state in states)
    if verb.startswith("step.") and "step" in details:
        return f"{details['step']} {verb.removeprefix('step.')}"
    return SAYS.get(verb, verb.partition(".")[2].replace("_", " ") or verb)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
