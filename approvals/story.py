"""An entry of the record as a person reads it. Pure but for the row; the hashed body is the only source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.models import AuditEvent

SAYS: dict[str, str] = {
    "account.link_made": "made a link for an account",
    "account.made": "made an account",
    "account.turned_off": "turned an account off",
    "account.turned_on": "turned an account on",
    "agreement.noted": "noted what is agreed",
    "alert.acknowledged": "looks after an alert",
    "alert.changed": "found that the drift changed",
    "alert.ended": "found the drift gone",
    "alert.opened": "found drift",
    "alert.raised": "called a person",
    "alert.repeated": "called a person again",
    "alert.settled": "calls nobody any more",
    "approval.answered": "said yes; more have to",
    "approval.approved": "approved",
    "approval.asked": "asked for approval",
    "approval.expired": "the question ended unanswered",
    "approval.rejected": "rejected",
    "approval.voided": "the approval became void",
    "approver_key.confirmed": "confirmed an approver's key",
    "approver_key.retired": "retired an approver's key",
    "balancer.shut": "the balancer was shut",
    "budget.set": "set a budget",
    "bundle.download_begun": "began to download a release",
    "bundle.downloaded": "downloaded a release",
    "company.joined": "came by the company's sign-in for the first time",
    "config.moved": "moved a configuration on",
    "config.proposed": "proposed a configuration",
    "config.signed": "signed a configuration",
    "contact.added": "added a contact",
    "contact.retired": "retired a contact",
    "cover.ended": "ended a cover",
    "cover.set": "set who is on call for once",
    "credential.kept": "kept a key",
    "credential.made": "made a key",
    "credential.rotated": "rotated the keys",
    "delivery.dropped": "gave up telling somebody",
    "delivery.failed": "could not tell somebody",
    "delivery.sent": "told somebody",
    "downgrade.drawn": "wrote a word for a downgrade",
    "downgrade.signed": "signed for a downgrade",
    "drain.cut_agreed": "agreed to cut users",
    "drain.cut_asked": "asked to cut users",
    "drain.extended": "gave the drain more hours",
    "drift.put_back": "had drift put back",
    "duty.noted": "left a word for the next on call",
    "duty.taken_over": "took over as on-call",
    "duty.word_given": "gave his word to the hand-over",
    "errand.again": "asked a gateway again",
    "errand.done": "a gateway followed",
    "errand.failed": "a gateway refused",
    "errand.sent": "asked gateways to follow",
    "factor.added": "added a way to sign in",
    "factor.forgotten": "made lost second factors be forgotten",
    "factor.refused": "gave a wrong code",
    "factor.removed": "removed a way to sign in",
    "factor.renewed": "made new recovery codes",
    "freeze.begun": "began a freeze",
    "freeze.lifted": "lifted a freeze",
    "freeze.passed": "let a rollout pass a freeze",
    "gateway.changed": "changed a gateway",
    "gateway.enrolled": "enrolled a gateway",
    "gateway.left": "let a gateway go",
    "gateway.pinned": "pinned a host key",
    "gateway.proposed": "proposed a gateway",
    "gateway.released": "took a gateway out of quarantine",
    "matrix.began": "began a run of the test matrix",
    "matrix.done": "finished a run of the test matrix",
    "matrix.failed": "could not finish a run of the test matrix",
    "names.expired": "let the names behind old pseudonyms go",
    "names.forgotten": "forgot a user's name",
    "passkey.refused": "used a passkey that seems to be copied",
    "passkey.unknown": "came with a passkey that was not accepted",
    "password.changed": "changed the password",
    "password.set": "set a password by a link",
    "policy.changed": "changed a channel's policy",
    "record.backed_up": "backed up the database",
    "record.begun_anew": "signs the record under a new name",
    "record.exported": "exported events of the record",
    "record.halted": "signs the record no more",
    "record.key_named": "named the key that signs the record",
    "record.read": "read the record",
    "record.restored": "restored the database",
    "release.added": "added a release",
    "release.mended": "mended a release",
    "release.passed": "passed a release on",
    "release.refused": "a release was refused",
    "release.yanked": "withdrew a release",
    "role.given": "gave a role",
    "role.taken": "took a role away",
    "rollback.asked": "asked to roll back",
    "rollout.drafted": "drew the plan",
    "rollout.moved": "the rollout moved on",
    "rollout.promoted": "promoted the next wave",
    "rule.changed": "changed a rule for alerts",
    "session.ended": "ended sessions",
    "session.locked": "was stopped after wrong passwords",
    "session.not_proven": "failed to prove to be the person",
    "session.proven": "proved to be the person",
    "session.refused": "was refused at sign-in",
    "session.signed_in": "signed in",
    "session.signed_out": "signed out",
    "shift.ended": "ended a shift",
    "shift.set": "set a shift",
    "silence.begun": "silenced alerts",
    "silence.ended": "ended a silence",
    "step.done": "finished a step",
    "step.failed": "a step failed",
    "strategy.added": "added a strategy",
    "strategy.retired": "retired a strategy",
    "ticket.issued": "gave a gateway a ticket",
    "token.ended": "ended a token",
    "token.made": "made a token",
    "token.refused": "came with a wrong token",
    "token.used": "asked by a token",
    "trust.drawn": "wrote a trust statement",
    "trust.signed": "signed a trust statement",
    "upgrade.moved": "a gateway moved on",
    "wave.moved": "a wave moved on",
    "webhook.added": "added a webhook",
    "webhook.again": "had a webhook's message sent again",
    "webhook.ended": "ended a webhook",
    "webhook.tried": "tried a webhook",
    "window.ended": "ended a window",
    "window.set": "set a window",
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
    body: str = ""  # the canonical JSON that was hashed
    hash: str = ""
    ip: str = ""
    request: str = ""

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
        body=event.body,
        hash=event.hash,
        ip=str(actor.get("ip") or ""),
        request=str(actor.get("request_id") or ""),
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
