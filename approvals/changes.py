"""Changes that need a second person: propose, decide, and what then happens. One way for every kind of them.

A kind is registered by the app that owns it (KINDS["signer.trust"] = Change(…), in its AppConfig.ready). What is
approved is the payload as it was shown: the digest of both binds the yes, and `apply` gets exactly that payload, in the
transaction of the last yes. What takes long is not done there: `apply` writes what is to be done (fleet.models.Errand)
and returns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict, Unpack

from django.db import transaction
from django.utils import timezone

from approvals import delegation, rights, services
from approvals.errors import Refused
from approvals.models import Actor, Request, User

DECIDE_WITHIN = timedelta(days=7)
USE_WITHIN = timedelta(days=7, hours=1)


@dataclass(frozen=True)
class Applied:
    """What was approved, by whom it was asked and decided last, for `apply`."""

    request: Request
    payload: Mapping[str, Any]
    asked_by: User
    decided_by: User
    actor: Actor
    now: datetime


@dataclass(frozen=True)
class Change:
    """One kind of change. Permissions are "app.codename"."""

    propose: str  # the right to ask
    decide: str  # the right to say yes or no
    apply: Callable[[Applied], None]  # raise Refused where it can't be done now: then the yes is not given either
    rejected: Callable[[Applied], None] | None = None  # when somebody said no
    # Locks the rows that `apply` needs, before the yes is on the record: whoever takes the record's tail first and then
    # waits for a row stands in a circle with who has the row and waits for the tail (PostgreSQL then ends one of them).
    lock: Callable[[Mapping[str, Any]], None] | None = None


KINDS: dict[str, Change] = {}


class Proposal(TypedDict):
    """What is asked. `payload` is what `apply` gets and the digest covers; the rest is what the decider is shown."""

    subject: str  # "signer:3"
    scope: NotRequired[str]  # "all" or "pool:3"
    payload: Mapping[str, Any]  # JSON; never a secret
    title: str  # "Trust the signer Alice (ABCD…) in the group release"
    lines: NotRequired[Sequence[str]]  # sentences: what it means, what follows
    diff: NotRequired[str]  # unified diff, secrets masked
    warning: NotRequired[str]  # the one thing that must not be overlooked: "This is a downgrade."
    why: NotRequired[str]  # the asker's reason
    needed: NotRequired[int]


def propose(kind: str, *, by: User, actor: Actor, now: datetime, **proposal: Unpack[Proposal]) -> Request:
    """Ask a second person for a change; return the open request. Refused without the right to ask."""
    change, scope = KINDS[kind], proposal.get("scope", rights.EVERYTHING)
    if not rights.may(by, change.propose, scope):
        raise Refused(f"You may not ask for this: you lack the right {change.propose} on {scope}.")
    summary = {name: value for name, value in proposal.items() if name not in ("subject", "scope", "needed")}
    return services.ask(
        by=by,
        now=now,
        actor=actor,
        kind=kind,
        subject=proposal["subject"],
        scope=scope,
        permission=change.decide,
        digest=digest(kind, summary),
        summary=summary,
        needed=proposal.get("needed", 1),
        decide_within=DECIDE_WITHIN,
        use_within=USE_WITHIN,
    )


def decide(request: Request, *, by: User, now: datetime, actor: Actor, **words: Unpack[services.Words]) -> Request:
    """Give one person's answer; the yes that completes the quorum applies the change in the same transaction."""
    change = KINDS[request.kind]
    with transaction.atomic():
        if change.lock is not None and words["yes"]:
            change.lock(request.summary["payload"])
        has_right = _may(by, request.permission, request.scope, now=now)
        decided = services.decide(request, by=by, has_right=has_right, now=now, actor=actor, **words)
        applied = Applied(decided, decided.summary["payload"], decided.requested_by, by, actor, now)
        if decided.state == Request.State.APPROVED:
            _refuse_lost(decided, change)
            _use(decided, now=now)
            change.apply(applied)
        elif decided.state == Request.State.REJECTED and change.rejected:
            change.rejected(applied)
    return decided


def may_decide(person: User, request: Request) -> bool:
    """Whether this open change waits for this person."""
    return request in _deciding(person, [request])


def waiting_for(person: User) -> list[Request]:
    """Open changes that this person may decide, oldest first; at most 200."""
    asked = Request.objects.filter(kind__in=KINDS, state=Request.State.OPEN).exclude(decisions__by=person)
    return _deciding(person, list(asked.select_related("requested_by").order_by("requested_at")[:200]))


def may_see(person: User, request: Request) -> bool:
    """Who asked, who may ask or decide such a thing, and who may read the record."""
    change = KINDS.get(request.kind)
    if change is None:
        return False
    seen = request.requested_by_id == person.pk or rights.everywhere(person, "approvals.view_auditevent")
    if seen or rights.may(person, change.propose, request.scope):
        return True
    return _may(person, change.decide, request.scope, now=timezone.now())


def visible(person: User, *, most: int = 200) -> list[Request]:
    """Changes that the person may see: open ones first, then the newest."""
    rows = Request.objects.filter(kind__in=KINDS).select_related("requested_by")
    is_open = Request.State.OPEN
    ordered = [*rows.filter(state=is_open).order_by("requested_at")[:most]]
    ordered += rows.exclude(state=is_open).order_by("-requested_at")[:most]
    known: dict[tuple[str, str], bool] = {}
    found = []
    for request in ordered:
        key = (request.kind, request.scope)
        if request.requested_by_id != person.pk and key not in known:
            known[key] = may_see(person, request)
        if request.requested_by_id == person.pk or known[key]:
            found.append(request)
    return found[:most]


def _deciding(person: User, asked: Sequence[Request]) -> list[Request]:
    """Those of the requests that the person may decide; each right is looked up once."""
    known: dict[tuple[str, str], bool] = {}
    found = []
    for request in asked:
        if request.kind not in KINDS or request.state != Request.State.OPEN or request.requested_by_id == person.pk:
            continue
        key = (request.permission, request.scope)
        if key not in known:
            known[key] = _may(person, *key, now=timezone.now())
        if known[key]:
            found.append(request)
    return found


def _may(person: User, permission: str, scope: str, *, now: datetime) -> bool:
    return rights.may(person, permission, scope) or delegation.may(person, permission, scope, now=now)


def digest(kind: str, summary: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of kind, payload and all that people are shown, lower-case hex."""
    text = json.dumps({"kind": kind, "summary": summary}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_lost(request: Request, change: Change) -> None:
    """Two people stand behind a change: one whose right was taken away, or whose account was, is none of them."""
    asker = request.requested_by
    if not rights.holds(asker, change.propose, request.scope):
        raise Refused(
            f"{asker.username} asked for this and may not any more. Say no to it, and have somebody else ask again."
        )


def _use(request: Request, *, now: datetime) -> None:
    """The payload that lies in the row must be the one that was approved, and its approvers must still be ones."""
    services.check_use(
        request,
        digest=digest(request.kind, request.summary),
        now=now,
        has_right=lambda person: rights.holds(person, request.permission, request.scope),
    )
