"""Who may decide what, and when a decision may be used. Pure: values in, the reason why not out ("" is yes)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from approvals import quorum
from approvals.policy_spec import STRENGTH_WORDS, Need, Rules, strong_enough
from approvals.quorum import Vote


@dataclass(frozen=True)
class Said:
    """One person's answer to a request."""

    by: int  # the user's id
    name: str
    yes: bool
    digest: str
    at: datetime
    accounts: frozenset[int] = frozenset()  # of this person, and of the one for whom he said it; empty: `by` alone
    groups: frozenset[str] = frozenset()  # of those that the rules name
    strength: str = ""  # of the step-up with which it was said

    @property
    def vote(self) -> Vote:
        return Vote(self.accounts or frozenset({self.by}), self.groups)


@dataclass(frozen=True)
class Asked:
    """A request and all that was said to it."""

    state: str  # open, approved, rejected, void, expired
    digest: str
    permission: str
    scope: str
    needed: int
    requested_by: int
    expires_at: datetime  # for the decision; the moment itself is too late
    use_until: datetime  # for what was decided; the moment itself is too late
    said: Sequence[Said]  # oldest first
    rules: Sequence[Rules] = ()  # what was in force when it was asked, and what is now: all of them hold
    asker: frozenset[int] = frozenset()  # accounts of who asked; empty: `requested_by` alone
    signers: frozenset[int] = frozenset()  # accounts of those who signed what is asked about
    alone: Alone | None = None  # the glass was broken for it

    @property
    def needs(self) -> list[tuple[Need, ...]]:
        """All of these must be met."""
        return [(Need(max(self.needed, 1)),), *(rule.needs for rule in self.rules)]

    @property
    def barred(self) -> frozenset[int]:
        """Accounts whose yes never counts."""
        signers = self.signers if any(rule.not_signer for rule in self.rules) else frozenset()
        return (self.asker or frozenset({self.requested_by})) | signers


@dataclass(frozen=True)
class Alone:
    """One person did it alone, in an emergency."""

    by: int
    name: str
    reviewed: bool
    review_until: datetime


@dataclass(frozen=True)
class Answer:
    """What a person says to a request, with what is known of the person at this moment."""

    by: int
    yes: bool
    reason: str
    digest: str  # of what the person was shown
    has_right: bool  # the request's permission on its scope, looked up just now
    active: bool  # the account is not switched off
    accounts: frozenset[int] = frozenset()  # as in Said
    groups: frozenset[str] = frozenset()
    strength: str = ""

    @property
    def vote(self) -> Vote:
        return Vote(self.accounts or frozenset({self.by}), self.groups)


def why_not(asked: Asked, answer: Answer, *, now: datetime) -> str:
    """Return why this answer may not be given, as a sentence; "" when it may."""
    return _why_not_person(asked, answer, now) or why_not_now(asked, now=now) or _why_not_answer(asked, answer)


def why_not_use(asked: Asked, *, digest: str, still_right: frozenset[int], now: datetime) -> str:
    """Return why what was asked may not happen now, as a sentence; "" when it may.

    `still_right` holds the ids of those whose right to decide such a request stands at this moment.
    """
    if asked.state != "approved":
        return _STATES.get(asked.state, f"The request is {asked.state!r}, which is not approved.")
    if not same(asked.digest, digest):
        return "This is not what was approved: something in it has changed since. Ask again."
    if now >= asked.use_until:
        return f"The approval could be used until {_ago(now - asked.use_until)}. Ask again."
    if any(not said.yes for said in asked.said):
        return "Somebody said no to this. Ask again."
    if asked.alone:
        return _why_not_alone(asked, asked.alone, still_right, now)
    return _why_not_quorum(asked, still_right)


def reached(asked: Asked, answer: Answer) -> bool:
    """Whether the quorum is there with this yes."""
    votes = [*(said.vote for said in _counted(asked)), answer.vote]
    return not any(quorum.missing(needs, votes) for needs in asked.needs)


def still_needed(asked: Asked) -> tuple[Need, ...]:
    """Who has yet to say yes, by the hardest of the rules."""
    votes = [said.vote for said in _counted(asked)]
    return max((quorum.missing(needs, votes) for needs in asked.needs), key=lambda left: sum(it.count for it in left))


def needs_say(needs: Sequence[Need]) -> str:
    """Return "1 more of on-call and 1 more of approver"."""
    return " and ".join(f"{need.count} more of {need.of}" if need.of else f"{need.count} more" for need in needs)


def same(one: str, other: str) -> bool:
    """Tell whether two digests are the same and are digests at all: an empty one equals nothing."""
    return bool(_DIGEST.fullmatch(one)) and hmac.compare_digest(one.encode(), other.encode())


_DIGEST = re.compile(r"[0-9a-f]{64}")


_STATES = {
    "open": "Nobody has approved this yet.",
    "rejected": "This was rejected. Ask again when the reason is gone.",
    "void": "The request is void, because what it asked for has changed. Ask again.",
    "expired": "The request expired before enough people decided. Ask again.",
}


def _why_not_person(asked: Asked, answer: Answer, now: datetime) -> str:
    accounts = answer.vote.accounts
    if answer.by == asked.requested_by:
        return "You asked for this yourself. Somebody else has to decide."
    if accounts & (asked.asker or {asked.requested_by}):
        return "Who asked for this is the same person as you, or the one for whom you decide. Somebody else has to."
    if not answer.active:
        return "Your account is switched off."
    if not answer.has_right:
        return f"You may not decide this: you lack the right {asked.permission} on {asked.scope}."
    for said in asked.said:
        if said.by == answer.by:
            return f"You {_verb(said)} this {_ago(now - said.at)}."
        if said.vote.accounts & accounts:
            return f"{said.name} {_verb(said)} this {_ago(now - said.at)}, and you count as one person."
    return ""


def why_not_now(asked: Asked, *, now: datetime) -> str:
    """Return why nobody can answer this any more, as a sentence; "" while it is open."""
    if asked.state in ("approved", "rejected") and asked.said:
        last = asked.said[-1]
        return f"{last.name} {_verb(last)} this {_ago(now - last.at)}."
    if asked.state != "open":
        return _STATES.get(asked.state, f"The request is {asked.state!r}; nobody can decide it any more.")
    if now >= asked.expires_at:
        return f"The request expired {_ago(now - asked.expires_at)}. Ask again."
    return ""


def _why_not_answer(asked: Asked, answer: Answer) -> str:
    if not same(asked.digest, answer.digest):
        return "What you were shown is not what is asked now. Look at it again, then decide."
    if not answer.yes:
        return "" if answer.reason.strip() else "Say why you reject it: the one who asked needs the reason."
    if answer.vote.accounts & asked.barred:
        return "You signed this release, so somebody else has to say that it may run."
    wanted = [rule.step_up for rule in asked.rules if not strong_enough(answer.strength, rule.step_up)]
    if wanted:
        return f"To approve this takes {STRENGTH_WORDS[wanted[0]]}. Confirm that it is you, then approve."
    return _why_not_helpful(asked, answer)


def _why_not_helpful(asked: Asked, answer: Answer) -> str:
    """A yes that fills no seat would look like one that counts."""
    for needs in asked.needs:
        votes = [said.vote for said in _counted(asked)]
        left = quorum.missing(needs, votes)
        if left and quorum.missing(needs, [*votes, answer.vote]) == left:
            return f"Needed are {needs_say(left)}; you are in none of these groups."
    return ""


def _counted(asked: Asked) -> list[Said]:
    """The yes's that count, leaving aside whose right still stands."""
    strong = [it for it in asked.said if all(strong_enough(it.strength, rule.step_up) for rule in asked.rules)]
    return [it for it in strong if it.yes and same(it.digest, asked.digest) and not it.vote.accounts & asked.barred]


def _why_not_alone(asked: Asked, alone: Alone, still_right: frozenset[int], now: datetime) -> str:
    if alone.by not in still_right:
        return (
            f"{alone.name} did this alone, but has lost the right {asked.permission} on {asked.scope} since. Ask again."
        )
    if not alone.reviewed and now >= alone.review_until:
        late = _ago(now - alone.review_until)
        return (
            f"{alone.name} did this alone, and the review was due {late}. Nothing more begins before that is written."
        )
    return ""


def _why_not_quorum(asked: Asked, still_right: frozenset[int]) -> str:
    good = _counted(asked)
    standing = [said.vote for said in good if said.by in still_right]
    left = [short for needs in asked.needs if (short := quorum.missing(needs, standing))]
    if not left:
        return ""
    gone = ", ".join(said.name for said in good if said.by not in still_right)
    if gone:
        return f"{gone} approved this, but has lost the right {asked.permission} on {asked.scope} since. Ask again."
    if len(good) >= max(asked.needed, 1):
        return f"What an approval needs was made stricter since: {needs_say(left[0])}. Ask again."
    return f"{len(good)} of {asked.needed} approvals are there. Ask again."


def _verb(said: Said) -> str:
    return "approved" if said.yes else "rejected"


def _ago(past: timedelta) -> str:
    seconds = max(0, int(past.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
