"""Rollouts: what they are, a new one, and every action of upgrader.views.asks as a call of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from approvals.errors import Refused
from fleet.models import Pool
from releases import selectors as releases
from releases.models import ConfigRevision, Release
from upgrader import drafts, drains, reach, rights, selectors, services, strategy_store
from upgrader.api import as_json
from upgrader.api_v1 import caller, finding, gate, shapes
from upgrader.api_v1.caller import APPROVE, OPERATE, READ, Caller
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem
from upgrader.models import Rollout, Strategy
from upgrader.states import ACTION_STATES
from upgrader.views.asks import ASK, NEEDS_REASON, said_in

router = Router(tags=["rollouts"])
ANSWERS = {
    **dict.fromkeys(("approve", "reject"), services.KIND),
    **dict.fromkeys(("agree_back", "refuse_back"), reach.KIND),
    **dict.fromkeys(("agree_cut", "refuse_cut"), drains.KIND),
}
"""Action that says yes or no → the kind of request that it answers."""
BACK = ("roll_back", "abort")
ONE_GATEWAY = ("retry", "skip", "take_in")
BODIES: dict[str, type[shapes.Body]] = {
    "promote": shapes.Promote,
    "extend": shapes.Extend,
    **dict.fromkeys(ONE_GATEWAY, shapes.OneGateway),
    **dict.fromkeys(ANSWERS, shapes.Answer),
}
SEEN = "Say which version you saw: send its ETag back as If-Match, or version in the body."


@router.get("/rollouts", auth=READ, response=Listed, summary="List rollouts, the newest first")
def rollout_list(request: HttpRequest, asked: Paged, state: str = "", pool: str = "") -> dict[str, Any]:
    """Every rollout on pools that one may look at; `state` and `pool` (its name) narrow it."""
    who = caller.of(request)
    rows = who.within(selectors.rollouts_for(who.user))
    if state:
        rows = rows.filter(state=finding.plain(state)[:20])
    if pool:
        rows = rows.filter(pool__name=finding.plain(pool))
    return page(rows, asked, row_json)


@router.post("/rollouts", auth=OPERATE, summary="Draft a rollout")
def rollout_draft(request: HttpRequest, said: shapes.Draft) -> HttpResponse:
    """Compute the plan once and store it; nothing happens until it is submitted and approved."""
    who = caller.of(request)
    release, pool, strategy = chosen(who, said)
    also = services.Also(over_drift=said.over_drift, config=config_of(pool, said), without=without_of(pool, said))
    rollout = services.draft(release=release, pool=pool, strategy=strategy, by=who.user, now=who.now, **also)
    return whole(who, rollout.pk, status=HTTPStatus.CREATED)


@router.post("/rollouts/plan", auth=READ, summary="Show the plan that a draft would have")
def rollout_plan(request: HttpRequest, said: shapes.Draft) -> dict[str, Any]:
    """The same plan; nothing is stored."""
    who = caller.of(request)
    release, pool, strategy = chosen(who, said)
    also = services.Also(over_drift=said.over_drift, config=config_of(pool, said), without=without_of(pool, said))
    return services.plan_for(release, pool, strategy, now=who.now, **also)


@router.get("/rollouts/{int:rollout_id}", auth=READ, summary="One rollout, with what may be done and why not")
def rollout_one(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The facts, sentence and offers that its page shows. Its ETag is the version for If-Match."""
    return whole(caller.of(request), rollout_id)


@router.get("/rollouts/{int:rollout_id}/plan", auth=READ, summary="The plan that was stored, under its digest")
def rollout_stored_plan(request: HttpRequest, rollout_id: int) -> dict[str, Any]:
    """Exactly what an approval is bound to."""
    rollout = seen(caller.of(request), rollout_id)
    return {"digest": rollout.digest, "plan": rollout.plan}


def chosen(who: Caller, said: shapes.Draft) -> tuple[Release, Pool, Strategy]:
    """What a draft names. Refused with what is not there."""
    pool = finding.pool(who, said.pool, among=drafts.pools(who.user))
    release = releases.releases_for(who.user).filter(name=said.release).first()
    strategy = next((row for row in strategy_store.offered() if row.name == said.strategy), None)
    if release is None:
        raise Refused(f"There is no release {said.release}.")
    if strategy is None:
        raise Refused(f"There is no strategy {said.strategy}.")
    return release, pool, strategy


def config_of(pool: Pool, said: shapes.Draft) -> ConfigRevision | None:
    row = ConfigRevision.objects.filter(pk=said.config or 0, pool=pool).first()
    if said.config and row is None:
        raise Refused(f"{pool.name} has no configuration {said.config}.")
    return row


def without_of(pool: Pool, said: shapes.Draft) -> Rollout | None:
    row = Rollout.objects.filter(pk=said.without or 0, pool=pool).first()
    if said.without and row is None:
        raise Refused(f"{pool.name} has no rollout {said.without}.")
    return row


def seen(who: Caller, rollout_id: int) -> Rollout:
    """A rollout that the caller may look at. 404 for others, a token's other pools among them."""
    rollout = selectors.rollout_for(who.user, rollout_id)
    if who.places is not None and rollout.pool_id not in who.places:
        raise Problem(404, f"There is no rollout {rollout_id}, or you may not see its pool.")
    return rollout


def whole(who: Caller, rollout_id: int, *, status: int = HTTPStatus.OK) -> HttpResponse:
    """The rollout as it is now, with its version as ETag."""
    said = now_json(who, rollout_id, who.now)
    return JsonResponse(said, status=status, headers={"ETag": f'"{said["version"]}"'})


def now_json(who: Caller, rollout_id: int, now: datetime) -> dict[str, Any]:
    return as_json(selectors.picture(seen(who, rollout_id), who.user, now=now), now)


def row_json(rollout: Rollout) -> dict[str, Any]:
    return {
        "id": rollout.pk,
        "state": rollout.state,
        "version": rollout.version,
        "digest": rollout.digest,
        "release": rollout.release.name,
        "pool": rollout.pool.name,
        "strategy": rollout.strategy.name,
        "since": rollout.since,
        "reason": rollout.reason,
        "created_by": rollout.created_by.username,
        "created_at": rollout.created_at,
    }


def move(request: HttpRequest, rollout_id: int, action: str, said: shapes.Body) -> HttpResponse:
    """Ask for one action: the rollout as it is then. 403 without the right, 409 in a wrong state, 412 when it moved
    since it was seen, 422 without a reason where one is needed, 428 without a version."""
    who = caller.of(request)
    rollout = seen(who, rollout_id)
    allowed(who, rollout, action)
    values = said.dict()
    if action not in ANSWERS:
        values["version"] = version(request, who, rollout, values.get("version"))
    if action in NEEDS_REASON and not values["reason"]:
        raise Problem(422, NEEDS_REASON[action])
    prove(request, who, rollout, action)
    ASK[action](rollout, said_in(values), who.actor, who.now)
    return whole(who, rollout_id)


def prove(request: HttpRequest, who: Caller, rollout: Rollout, action: str) -> None:
    """Who decides, or takes users back by a session, has proven himself lately. Taking back by a token needs none:
    it is the safe way, and a watchdog must be able to take it."""
    subject, scope = f"rollout:{rollout.pk}", f"pool:{rollout.pool_id}"
    if action in ANSWERS:
        gate.demand(request, who, gate.wanted(who, ANSWERS[action], scope, subject))
    elif action in BACK and who.token is None:
        gate.demand(request, who, gate.wanted(who, reach.KIND, scope))


def allowed(who: Caller, rollout: Rollout, action: str) -> None:
    """The right, as 403: the service asks for it again."""
    try:
        rights.demand(who.actor, action, rollout.pool)
    except Refused as lacking:
        raise Problem(403, lacking.say) from None


def version(request: HttpRequest, who: Caller, rollout: Rollout, said: int | None) -> int:
    """The version that the caller saw. 412 with the state as it is now where it is another one."""
    told = request.headers.get("If-Match", "").strip()
    if told == "*":
        return rollout.version
    digits = told.removeprefix("W/").strip('"')
    if digits.isascii() and digits.isdecimal() and len(digits) < 10:
        said = int(digits)
    elif told:
        raise Problem(412, 'If-Match is the ETag of the rollout, such as "7".', now=now_json(who, rollout.pk, who.now))
    if said is None:
        raise Problem(428, SEEN)
    if said != rollout.version:
        say = f"You saw version {said}; it is {rollout.version} now: {rollout.reason}"
        raise Problem(412, say, now=now_json(who, rollout.pk, who.now))
    return said


def register(action: str) -> None:
    """One call for one action: its address, its body, what it needs of a token."""
    body = BODIES.get(action, shapes.Move)

    default = body_default(body)

    def ask(request: HttpRequest, rollout_id: int, said: Any = default) -> HttpResponse:
        return move(request, rollout_id, action, said)

    ask.__name__, ask.__qualname__ = f"rollout_{action}", f"rollout_{action}"
    ask.__doc__ = f"Only while the rollout is {', '.join(sorted(ACTION_STATES[action]))}."
    ask.__annotations__["said"] = body
    verb = rights.WORD.get(action, action).replace("_", " ")
    scope = APPROVE if action in ANSWERS else OPERATE
    decorate: Callable[[Callable[..., Any]], Any] = router.post(
        f"/rollouts/{{int:rollout_id}}/{action.replace('_', '-')}",
        auth=scope,
        operation_id=f"rollout_{action}",
        summary=f"{verb[:1].upper()}{verb[1:]}",
    )
    decorate(ask)


def body_default(body: type[shapes.Body]) -> Any:
    """A body may be left out where nothing in it must be said."""
    needed = any(field.is_required() for field in body.model_fields.values())
    return ... if needed else body()


for _action in ASK:
    register(_action)
