"""Who decides on what a rollout asks, what was said, until when, and what then: for the decision page and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals import hearing, policies, policy
from approvals.errors import Refused
from approvals.models import Request, User
from approvals.policy_spec import said
from fleet.phrases import clock, duration
from releases import configs
from releases.matrix import selectors as matrix
from releases.models import MatrixRun, Release
from upgrader import glass, rights, start_time
from upgrader.models import Rollout

NAMED = 12  # of those who may decide
OF_ACTION = {
    **dict.fromkeys(("approve", "reject"), "start"),
    **dict.fromkeys(("agree_back", "refuse_back"), "back"),
    **dict.fromkeys(("agree_cut", "refuse_cut"), "cut"),
}
THEN = {
    "start": "If nobody decides until {at}, the question ends and nothing is changed on any gateway.",
    "back": "If nobody decides until {at}, the question ends and nothing goes back.",
    "cut": "If nobody decides until {at}, the question ends and nobody is cut.",
}


@dataclass(frozen=True)
class Voice:
    """What one person said."""

    who: str  # "Li", "Li for Amara"
    yes: bool
    reason: str
    at: datetime


@dataclass(frozen=True)
class Deciding:
    """A question as it stands."""

    request: Request
    state: str
    says: list[str]  # what the policy wants
    voices: list[Voice]
    still: str  # "1 more of oncall"; "" when nobody else is needed
    others: list[str]  # who may decide on it, besides who asked
    then: str  # what happens if nobody does
    used_until: str  # until when the yes may be used, and what then
    unreadable: str = ""  # why nothing can be decided by its policy


def read(rollout: Rollout, actions: Sequence[str], *, now: datetime) -> Deciding | None:
    """The question that the first of these actions answers that answers any; None where none was asked."""
    what = next((OF_ACTION[action] for action in actions if action in OF_ACTION), "")
    request = glass.asked(rollout, what) if what else None
    if request is None:
        return None
    voices = _voices(request)
    about: dict[str, Any] = {"request": request, "state": request.state, "voices": voices}
    about |= {"others": deciders(rollout, request), "then": _then(request, what, now)}
    try:
        seen = hearing.asked(request)
    except Refused as no:
        return Deciding(**about, says=[], still="", used_until="", unreadable=no.say)
    is_open = request.state == Request.State.OPEN and now < request.expires_at
    still = policy.needs_say(policy.still_needed(seen)) if is_open else ""
    return Deciding(**about, says=said(seen.rules[-1]), still=still, used_until=_used_until(rollout, seen, now))


def deciders(rollout: Rollout, request: Request) -> list[str]:
    """Names of those who may decide on it; who asked is none of them."""
    people = rights.deciders(rollout.pool).exclude(pk=request.requested_by_id).order_by("username")
    return [hearing.name(person) for person in people[: NAMED + 1]]


def strength(rollout: Rollout, action: str) -> str:
    """Which proof the policies want of a yes, the strongest of them; "" for none."""
    request = glass.asked(rollout, OF_ACTION[action]) if action in OF_ACTION else None
    return policies.strength(request) if request is not None else ""


def config_diff(rollout: Rollout) -> str:
    """The difference of the configuration that goes along, secrets masked; "" where none does."""
    return configs.diff(rollout.config) if rollout.config else ""


def tests(release: Release) -> list[dict[str, Any]]:
    """The last run of each part of the test matrix, for programs."""
    return [_run(run) for run in matrix.last_runs(release)]


def may_alone(rollout: Rollout, user: User, *, now: datetime) -> dict[str, Any] | None:
    """What this person could do by breaking the glass; None where nothing."""
    if (found := glass.waiting(rollout, user, now=now)) is None:
        return None
    what, request = found
    return {"what": what, "title": glass.title(rollout, request), "digest": request.digest}


def _run(run: MatrixRun) -> dict[str, Any]:
    bad = [{"test": cell.test, "verdict": cell.verdict, "say": cell.say} for cell in matrix.not_green(run)]
    ended = run.ended_at.isoformat() if run.ended_at else None
    return {"part": run.part, "from": run.upgraded_from, "ended_at": ended, "not_green": bad}


def _voices(request: Request) -> list[Voice]:
    rows = request.decisions.select_related("by", "delegation__giver").order_by("at", "pk")
    return [Voice(hearing.name_of(it), it.yes, it.reason, it.at) for it in rows]


def _then(request: Request, what: str, now: datetime) -> str:
    if request.state != Request.State.OPEN:
        return ""
    left = (request.expires_at - now).total_seconds()
    at = f"{clock(request.expires_at, now)} (in {duration(left)})" if left > 0 else clock(request.expires_at, now)
    return THEN[what].format(at=at)


def _used_until(rollout: Rollout, seen: policy.Asked, now: datetime) -> str:
    at = clock(seen.use_until, now)
    start = start_time.of(rollout.plan)
    ahead = f"It starts at {clock(start, now)} UTC and not before; the yes is used then. " if start else ""
    return f"{ahead}What has not begun until {at} does not begin by this yes: it is asked again."
