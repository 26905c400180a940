"""Strategies, and the caller's own tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from approvals import tokens
from approvals.models import ApiToken
from upgrader import strategy_pages, strategy_store
from upgrader.api_v1 import caller, shapes
from upgrader.api_v1.caller import OPERATE, READ
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem
from upgrader.models import Strategy
from upgrader.strategy_text import TextError

router = Router()


@router.get("/me", auth=READ, summary="Who I am here", tags=["tokens"])
def me(request: HttpRequest) -> dict[str, Any]:
    """The person behind the session or the token, and what the token may."""
    who = caller.of(request)
    return {"user": who.user.username, "token": token_json(who.token) if who.token else None}


@router.get("/tokens", auth=READ, response=Listed, summary="My tokens", tags=["tokens"])
def token_list(request: HttpRequest, asked: Paged) -> dict[str, Any]:
    """Without the tokens themselves. They are made on /account/tokens/ alone: no token makes another."""
    return page(ApiToken.objects.filter(owner=caller.of(request).user), asked, token_json)


@router.post("/tokens/{int:token_id}/end", auth=OPERATE, summary="End a token of mine", tags=["tokens"])
def token_end(request: HttpRequest, token_id: int) -> dict[str, Any]:
    """It opens nothing any more. The second time nothing happens."""
    who = caller.of(request)
    row = ApiToken.objects.filter(owner=who.user, pk=token_id).first()
    if row is None:
        raise Problem(404, f"You have no token {token_id}.")
    tokens.end(row, by=who.user, actor=who.actor, now=who.now)
    return token_json(ApiToken.objects.get(pk=row.pk))


@router.get("/strategies", auth=READ, response=Listed, summary="Strategies, every version", tags=["strategies"])
def strategy_list(request: HttpRequest, asked: Paged, offered: bool = True) -> dict[str, Any]:
    """Those that a draft may choose; with `offered=false` the others, too."""
    if not strategy_pages.may_see(caller.of(request).user):
        return {"items": [], "next": ""}
    rows = Strategy.objects.all()
    if offered:
        rows = rows.filter(pk__in=[row.pk for row in strategy_store.offered()])
    return page(rows, asked, strategy_json)


@router.post("/strategies", auth=OPERATE, summary="Add the next version of a strategy", tags=["strategies"])
def strategy_add(request: HttpRequest, said: shapes.StrategyText) -> HttpResponse:
    """201 with it; 200 where this text is the newest version already; 422 with the line that is wrong."""
    who = caller.of(request)
    who.demand("all")
    try:
        row, new = strategy_store.add(said.name, said.text, by=who.user, actor=who.actor, now=who.now)
    except TextError as wrong:
        raise Problem(422, str(wrong)) from None
    told = strategy_json(row) | {"text": strategy_pages.source(row)}
    return JsonResponse(told, status=HTTPStatus.CREATED if new else HTTPStatus.OK)


@router.post("/strategies/{int:strategy_id}/retire", auth=OPERATE, summary="Retire a strategy", tags=["strategies"])
def strategy_retire(request: HttpRequest, strategy_id: int, said: shapes.Why) -> dict[str, Any]:
    """Every version leaves the choice; rollouts that were drawn with one keep it."""
    who = caller.of(request)
    who.demand("all")
    row = Strategy.objects.filter(pk=strategy_id).first() if strategy_pages.may_see(who.user) else None
    if row is None:
        raise Problem(404, f"There is no strategy {strategy_id}, or you may not see it.")
    if not said.reason:
        raise Problem(422, "Say why you retire it: it goes on the record.")
    strategy_store.retire(row.name, reason=said.reason, by=who.user, actor=who.actor, now=who.now)
    return strategy_json(Strategy.objects.get(pk=strategy_id))


def strategy_json(row: Strategy) -> dict[str, Any]:
    names = ("name", "version", "title", "spec", "retired_at")
    return {"id": row.pk, **{name: getattr(row, name) for name in names}}


def token_json(row: ApiToken) -> dict[str, Any]:
    names = ("name", "prefix", "scopes", "places", "made_at", "expires_at", "ended_at", "used_at", "used_from")
    return {"id": row.pk, **{name: getattr(row, name) for name in names}}
