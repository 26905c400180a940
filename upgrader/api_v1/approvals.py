"""What waits for a yes: rollouts' questions and changes by two people, one list and one way to answer."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from approvals import changes
from approvals.models import Request
from fleet.selectors import visible_pools
from upgrader import drains, reach, rights, selectors, services
from upgrader.api_v1 import caller, gate, rollouts, shapes
from upgrader.api_v1.caller import APPROVE, READ, Caller
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem
from upgrader.models import Rollout

router = Router(tags=["approvals"])
OF_ROLLOUTS = {services.KIND: "approve", reach.KIND: "agree_back", drains.KIND: "agree_cut"}
"""Kind of a request about a rollout → the action that says yes to it."""
MOST = 200  # open requests that are looked at
NO = {"approve": "reject", "agree_back": "refuse_back", "agree_cut": "refuse_cut"}


@router.get("/approvals", auth=READ, summary="What waits for me")
def approval_list(request: HttpRequest) -> dict[str, Any]:
    """Open requests that the caller may answer, the oldest first; `rollouts` need a promotion or help besides."""
    who = caller.of(request)
    mine = [asked for asked in changes.waiting_for(who.user) if reaches(who, asked)]
    mine += [asked for asked in of_rollouts(who).filter(state=Request.State.OPEN)[:MOST] if may_answer(who, asked)]
    needing = who.within(selectors.needs_me(who.user, now=who.now))[: selectors.NEEDS_ME]
    return {
        "items": [said(asked) for asked in sorted(mine, key=lambda asked: asked.requested_at)],
        "rollouts": [rollouts.row_json(row) for row in needing],
    }


@router.get("/approvals/{int:request_id}", auth=READ, summary="One request, with what is decided")
def approval_one(request: HttpRequest, request_id: int) -> HttpResponse:
    """What was asked, its digest for the answer, and who has said what."""
    return whole(found(caller.of(request), request_id))


@router.post("/approvals/{int:request_id}/approve", auth=APPROVE, summary="Say yes")
def approval_approve(request: HttpRequest, request_id: int, said: shapes.Answer) -> HttpResponse:
    """To exactly this digest; 409 with who was faster."""
    return answer(request, request_id, said, yes=True)


@router.post("/approvals/{int:request_id}/reject", auth=APPROVE, summary="Say no")
def approval_reject(request: HttpRequest, request_id: int, said: shapes.Answer) -> HttpResponse:
    """With the reason, which who asked reads."""
    return answer(request, request_id, said, yes=False)


@router.get("/changes", auth=READ, response=Listed, summary="Changes by two people, the newest first")
def change_list(request: HttpRequest, asked: Paged, state: str = "") -> dict[str, Any]:
    """Every change that one may see."""
    who = caller.of(request)
    seen = [row.pk for row in changes.visible(who.user) if reaches(who, row)]
    rows = Request.objects.filter(pk__in=seen).select_related("requested_by")
    return page(rows.filter(state=state.replace("\x00", "")[:20]) if state else rows, asked, said)


def answer(request: HttpRequest, request_id: int, words: shapes.Answer, *, yes: bool) -> HttpResponse:
    """One person's answer, by the service that the kind of the request has."""
    who = caller.of(request)
    asked = found(who, request_id)
    if asked.kind in OF_ROLLOUTS:
        action = OF_ROLLOUTS[asked.kind] if yes else NO[OF_ROLLOUTS[asked.kind]]
        rollouts.move(request, rollout_of(asked), action, words)
        return whole(found(who, request_id))
    gate.demand(request, who, gate.wanted(who, asked.kind, asked.scope, asked.subject))
    if not yes and not words.reason:
        raise Problem(422, "Say why you reject it: who asked needs the reason.")
    told = {"yes": yes, "reason": words.reason, "digest": words.digest}
    changes.decide(asked, by=who.user, now=who.now, actor=who.actor, **told)  # type: ignore[arg-type]  # Words
    return whole(found(who, request_id))


def found(who: Caller, request_id: int) -> Request:
    """A request that the caller may see; 404 for others."""
    asked = Request.objects.select_related("requested_by").filter(pk=request_id).first()
    if asked is None or not reaches(who, asked) or not may_see(who, asked):
        raise Problem(404, f"There is no request {request_id}, or you may not see it.")
    return asked


def may_see(who: Caller, asked: Request) -> bool:
    if asked.kind in OF_ROLLOUTS:
        return of_rollouts(who).filter(pk=asked.pk).exists()
    return changes.may_see(who.user, asked)


def of_rollouts(who: Caller) -> QuerySet[Request]:
    """Requests about rollouts on pools that the caller may look at."""
    pools = who.within(visible_pools(who.user), "pk")
    places = Q(scope__in=[f"pool:{pk}" for pk in pools.values_list("pk", flat=True)])
    return Request.objects.filter(places, kind__in=OF_ROLLOUTS).select_related("requested_by")


def may_answer(who: Caller, asked: Request) -> bool:
    """Whether it waits for this person: he holds the right there, did not ask, and has not answered."""
    if asked.requested_by_id == who.user.pk or asked.decisions.filter(by=who.user).exists():
        return False
    rollout = Rollout.objects.select_related("pool").filter(pk=rollout_of(asked)).first()
    return rollout is not None and rights.may(who.user, OF_ROLLOUTS[asked.kind], rollout.pool)


def rollout_of(asked: Request) -> int:
    number = asked.subject.removeprefix("rollout:").partition(":")[0]
    return int(number) if number.isdecimal() else 0


def reaches(who: Caller, asked: Request) -> bool:
    return who.token is None or not who.token.places or asked.scope in who.token.places


def whole(asked: Request) -> HttpResponse:
    decisions = asked.decisions.select_related("by").order_by("at")
    told = [{"by": row.by.username, "yes": row.yes, "reason": row.reason, "at": row.at} for row in decisions]
    body = said(asked) | {"summary": asked.summary, "decisions": told}
    return JsonResponse(body, headers={"ETag": f'"{asked.version}"'})


def said(asked: Request) -> dict[str, Any]:
    title = asked.summary.get("title") if isinstance(asked.summary, dict) else None
    return {
        "id": asked.pk,
        "kind": asked.kind,
        "subject": asked.subject,
        "scope": asked.scope,
        "title": title or f"{asked.kind} of {asked.subject.replace(':', ' ')}",
        "state": asked.state,
        "version": asked.version,
        "digest": asked.digest,
        "needed": asked.needed,
        "requested_by": asked.requested_by.username,
        "requested_at": asked.requested_at,
        "expires_at": asked.expires_at,
    }
