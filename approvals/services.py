"""Ask, decide, use: what may happen to a request. The only writer of Request and Decision.

Each move is a compare-and-set on the request's state and version, with its event in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NotRequired, TypedDict, Unpack

from django.contrib.auth.hashers import make_password
from django.db import transaction

from approvals import audit, hearing, policies, policy
from approvals.errors import Refused
from approvals.models import Actor, Decision, Request, User

HEARD: list[Callable[[], None]] = []
"""Called, in the transaction, when something is asked or answered: who shows open pages what is new registers here."""

_ATTEMPTS = 5  # of a decision that meets others' decisions; each lost one means that somebody else's got through


class Question(TypedDict):
    """What is asked. `digest` binds the answer to its content; `summary` is what the decider is shown."""

    kind: str
    subject: str
    scope: str
    permission: str
    digest: str
    summary: Mapping[str, Any]
    needed: NotRequired[int]
    decide_within: NotRequired[timedelta]
    use_within: NotRequired[timedelta]
    scopes: NotRequired[Sequence[str]]  # where else a policy for it may stand: "channel:production"
    start_at: NotRequired[datetime | None]  # not before; the time to use the yes begins then


class Words(TypedDict):
    """What a decider says, and the digest of what was on the screen."""

    yes: bool
    reason: str
    digest: str


def ask(*, by: User, now: datetime, actor: Actor | None = None, **question: Unpack[Question]) -> Request:
    """Open a request and return it. The same question by the same person again: the open one.

    What it needs and how long it stands say the policies (approvals/policies.py); `needed` and the two times are what
    the asker says where no policy was made. An open request for the same subject with another digest, scope, right or
    quorum becomes void. Refused when somebody else's is open, or the policy can't be read.
    """
    actor = actor or Actor(kind="person", name=by.username, user_id=by.pk)
    scopes = policies.scopes_of(question["scope"], question.get("scopes", ()))
    force, start = policies.in_force(question["kind"], scopes), question.get("start_at")
    expires, use_until = _times(question, force, now)
    if not policy.same(question["digest"], question["digest"]) or not now < expires <= use_until:
        raise ValueError("A request needs a SHA-256 digest, and two dates that lie ahead")
    question["needed"] = max(question.get("needed", 1), force.rules.people)
    kept = policies.snapshot(force, scopes, start)
    with transaction.atomic():
        if standing := _standing(question, by, now=now, actor=actor):
            return standing
        request = Request.objects.create(
            **{name: question[name] for name in ("kind", "subject", "scope", "permission", "digest", "needed")},
            summary=dict(question["summary"]),
            requested_by=by,
            requested_at=now,
            expires_at=expires,
            use_until=use_until,
            policy=kept,
        )
        details = {"needed": request.needed, "expires_at": expires, "use_until": use_until, "scope": request.scope}
        details |= {"policy": {name: kept[name] for name in ("kind", "scope", "version")}}
        _record("asked", request, actor=actor, now=now, details=details)
        return request


def machine() -> User:
    """Who asks when the machine does. Nobody signs in as him: no form takes a name with a blank, and he is inactive."""
    nobody = {"is_active": False, "password": make_password(None)}
    return User.objects.get_or_create(username="the controller", defaults=nobody)[0]


def decide(
    request: Request, *, by: User, has_right: bool, now: datetime, actor: Actor, **words: Unpack[Words]
) -> Request:
    """Give one person's answer; return the request as it is then (APPROVED once enough said yes, REJECTED by one no).

    `has_right`: whether `by` holds request.permission on request.scope, looked up by the caller just now; being a
    superuser is no such right. Refused says why not, and who was faster.
    """
    if actor.kind != "person" or actor.user_id != by.pk:
        raise ValueError(f"{actor.name} can't decide for {by.username}")
    for _ in range(_ATTEMPTS):
        with transaction.atomic():
            seen = Request.objects.get(pk=request.pk)
            given = hearing.giver(seen, by, now=now)
            asked = hearing.asked(seen)
            known = hearing.answer(asked, seen, by=by, given=given, actor=actor, now=now)
            answer = replace(known, has_right=has_right, **words)
            _refuse(policy.why_not(asked, answer, now=now))
            if _move(seen, to=_outcome(asked, answer)):
                about = {"delegation": given, "strength": actor.strength}
                it = Decision(request=seen, requested_by_id=seen.requested_by_id, by=by, at=now, **words, **about)
                it.save(force_insert=True)
                _record_answer(it, actor=actor, now=now)
                return seen
    raise Refused("Others are deciding this at the same moment. Look at it again.")


def approve_alone(request: Request, *, digest: str, now: datetime) -> None:
    """Approve an open request without a second person. For approvals/breakglass.py, which records it, alone."""
    seen = Request.objects.get(pk=request.pk)
    if why := policy.why_not_now(hearing.asked(seen), now=now):
        raise Refused(why)
    if not policy.same(seen.digest, digest):
        raise Refused("What you were shown is not what is asked now. Look at it again, then decide.")
    if not _move(seen, to=Request.State.APPROVED):
        raise Refused("Others are deciding this at the same moment. Look at it again.")
    request.state, request.version = seen.state, seen.version


def check_use(request: Request, *, digest: str, now: datetime, has_right: Callable[[User], bool] | None = None) -> None:
    """Refused unless the request is approved for exactly this digest and may still be used.

    Reads the rows anew, so pass any copy. `has_right` is asked again for each one who said yes: a right that was
    taken away since takes the approval with it. A switched-off account does so in any case.
    """
    seen = Request.objects.get(pk=request.pk)
    right = hearing.standing(seen, has_right)
    _refuse(policy.why_not_use(hearing.asked(seen), digest=digest, still_right=right, now=now))


def void(request: Request, *, reason: str, actor: Actor, now: datetime) -> Request:
    """End an open or approved request, because what it asked for has changed. Nothing happens to a settled one."""
    for _ in range(_ATTEMPTS):
        with transaction.atomic():
            seen = Request.objects.get(pk=request.pk)
            if seen.state not in (Request.State.OPEN, Request.State.APPROVED):
                return seen
            if _move(seen, to=Request.State.VOID):
                _record("voided", seen, actor=actor, now=now, reason=reason)
                return seen
    raise Refused("Others are deciding this at the same moment. Look at it again.")


def expire(*, now: datetime) -> list[Request]:
    """End all open requests whose time to decide is over; return those that this call ended."""
    late = Request.objects.filter(state=Request.State.OPEN, expires_at__lte=now).order_by("pk")
    return [request for request in late if _expire(request, now=now)]


def _standing(question: Question, by: User, *, now: datetime, actor: Actor) -> Request | None:
    """Return the open request that already asks this; end one that is late or asks something else."""
    same_subject = Request.objects.filter(kind=question["kind"], subject=question["subject"], state=Request.State.OPEN)
    standing = same_subject.select_related("requested_by").first()
    if standing is None or (now >= standing.expires_at and _expire(standing, now=now)):
        return None
    wanted = (question["digest"], question["scope"], question["permission"], question["needed"])
    if (standing.digest, standing.scope, standing.permission, standing.needed) != wanted:
        void(standing, reason="what is asked has changed", actor=actor, now=now)
        return None
    if standing.requested_by_id != by.pk:
        raise Refused(f"{hearing.name(standing.requested_by)} has asked for this already; it waits for a decision.")
    return standing


def _expire(request: Request, *, now: datetime) -> bool:
    with transaction.atomic():
        if not _move(request, to=Request.State.EXPIRED):
            return False
        reason = f"nobody decided until {request.expires_at.isoformat(timespec='seconds')}"
        _record("expired", request, actor=Actor.machine("clock"), now=now, reason=reason)
    return True


def _move(seen: Request, *, to: Request.State) -> bool:
    """Write the state if the row is still as it was seen; the version grows with every answer."""
    unchanged = Request.objects.filter(pk=seen.pk, state=seen.state, version=seen.version)
    if unchanged.update(state=to, version=seen.version + 1) != 1:
        return False
    seen.state, seen.version = to, seen.version + 1
    return True


def _outcome(asked: policy.Asked, answer: policy.Answer) -> Request.State:
    if not answer.yes:
        return Request.State.REJECTED
    return Request.State.APPROVED if policy.reached(asked, answer) else Request.State.OPEN


def _times(question: Question, force: policies.Force, now: datetime) -> tuple[datetime, datetime]:
    """Until when it may be decided, and until when the yes may be used. A start that lies ahead is waited for."""
    rules, start = force.rules, question.get("start_at")
    decide, use = timedelta(minutes=rules.decide_minutes), timedelta(minutes=rules.use_minutes)
    if force.shipped:
        decide, use = question.get("decide_within", decide), question.get("use_within", use)
        if use < decide:
            raise ValueError("A request needs two dates in their order")
    expires = max(now + decide, start or now)
    return expires, max((start or now) + use, expires)


def _record_answer(it: Decision, *, actor: Actor, now: datetime) -> None:
    details = {"state": it.request.state, "needed": it.request.needed}
    if it.delegation:
        details |= {"for": it.delegation.giver.username, "delegation": it.delegation.pk}
    if it.strength:
        details |= {"strength": it.strength}
    verb = "approved" if it.yes else "rejected"
    _record(verb, it.request, actor=actor, now=now, reason=it.reason, details=details)


def _record(
    verb: str,
    request: Request,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    about = {"request": request.pk, "kind": request.kind, "digest": request.digest, **(details or {})}
    audit.append(f"approval.{verb}", subject=request.subject, actor=actor, at=now, reason=reason, details=about)
    tell()


def tell() -> None:
    """Let open pages know that something was asked or answered."""
    for hear in HEARD:
        hear()


def _refuse(why: str) -> None:
    if why:
        raise Refused(why)
