"""Who may decide what, and when a decision may be used. Pure: values in, the reason why not out ("" is yes)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Said:
    """One person's answer to a request."""

    by: int  # the user's id
    name: str
    yes: bool
    digest: str
    at: datetime


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


@dataclass(frozen=True)
class Answer:
    """What a person says to a request, with what is known of the person at this moment."""

    by: int
    yes: bool
    reason: str
    digest: str  # of what the person was shown
    has_right: bool  # the request's permission on its scope, looked up just now
    active: bool  # the account is not switched off


def why_not(asked: Asked, answer: Answer, *, now: datetime) -> str:
    """Return why this answer may not be given, as a sentence; "" when it may."""
    return _why_not_person(asked, answer, now) or _why_not_now(asked, now) or _why_not_answer(asked, answer)


def why_not_use(asked: Asked, *, digest: str, still_right: frozenset[int], now: datetime) -> str:
    """Return why what was asked may not happen now, as a sentence; "" when it may.

    `still_right` holds the ids of those who may decide such a request at this moment.
    """
    if asked.state != "approved":
        return _STATES.get(asked.state, f"The request is {asked.state!r}, which is not approved.")
    if not same(asked.digest, digest):
        return "This is not what was approved: something in it has changed since. Ask again."
    if now >= asked.use_until:
        return f"The approval could be used until {_ago(now - asked.use_until)}. Ask again."
    if any(not said.yes for said in asked.said):
        return "Somebody said no to this. Ask again."
    return _why_not_quorum(asked, still_right)


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
    if answer.by == asked.requested_by:
        return "You asked for this yourself. Somebody else has to decide."
    if not answer.active:
        return "Your account is switched off."
    if not answer.has_right:
        return f"You may not decide this: you lack the right {asked.permission} on {asked.scope}."
    for said in asked.said:
        if said.by == answer.by:
            return f"You {_verb(said)} this {_ago(now - said.at)}."
    return ""


def _why_not_now(asked: Asked, now: datetime) -> str:
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
    if not answer.yes and not answer.reason.strip():
        return "Say why you reject it: the one who asked needs the reason."
    return ""


def _why_not_quorum(asked: Asked, still_right: frozenset[int]) -> str:
    good = {said.by for said in asked.said if same(said.digest, asked.digest)} - {asked.requested_by}
    if len(good & still_right) >= max(asked.needed, 1):
        return ""
    gone = ", ".join(said.name for said in asked.said if said.by in good - still_right)
    if gone:
        return f"{gone} approved this, but has lost the right {asked.permission} on {asked.scope} since. Ask again."
    return f"{len(good)} of {asked.needed} approvals are there. Ask again."


def _verb(said: Said) -> str:
    return "approved" if said.yes else "rejected"


def _ago(past: timedelta) -> str:
    seconds = max(0, int(past.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
