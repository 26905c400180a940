"""Windows, freezes and budgets: one person freezes, all that loosens is asked of two."""

from __future__ import annotations

from datetime import UTC, timedelta
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from fleet.models import Pool
from fleet.selectors import visible_pools
from upgrader import bound_changes, bound_pages
from upgrader.api_v1 import caller, finding, releases, shapes
from upgrader.api_v1.caller import OPERATE, READ, Caller
from upgrader.api_v1.problems import Problem
from upgrader.bound_changes import Who
from upgrader.models import Freeze, Window

router = Router(tags=["bounds"])


@router.get("/bounds", auth=READ, summary="What limits when something begins and how much of it")
def bound_list(request: HttpRequest) -> dict[str, Any]:
    """Every place that one may see, the fleet first."""
    who = caller.of(request)
    shown = bound_pages.places(who.user, now=who.now)
    mine = [it for it in shown if who.places is None or it.pool is None or it.pool.pk in who.places]
    return {"places": [bound_pages.as_json(place) for place in mine]}


@router.post("/freezes", auth=OPERATE, summary="Freeze a pool or the fleet")
def freeze_begin(request: HttpRequest, said: shapes.Freeze) -> HttpResponse:
    """At once, by one person: that is the safe direction."""
    who = caller.of(request)
    pool = finding.place(who, said.pool)
    starts_at = said.starts_at or who.now
    if starts_at.tzinfo is None:
        starts_at = starts_at.replace(tzinfo=UTC)
    ends_at = ended(starts_at, said.hours)
    row = bound_changes.begin_freeze(pool, acting(who, said.reason), starts_at=starts_at, ends_at=ends_at)
    told = {"id": row.pk, "pool": row.pool.name if row.pool else None, "reason": row.reason}
    return JsonResponse(told | {"from": row.starts_at, "until": row.ends_at}, status=HTTPStatus.CREATED)


@router.post("/freezes/{int:freeze_id}/lift", auth=OPERATE, summary="Ask to lift a freeze")
def freeze_lift(request: HttpRequest, freeze_id: int, said: shapes.Why = shapes.NO_WORDS) -> HttpResponse:
    """202 with the request: another person decides."""
    who = caller.of(request)
    row = Freeze.objects.select_related("pool", "made_by").filter(pk=freeze_id).first()
    if row is None or not sees(who, row.pool):
        raise Problem(404, f"There is no freeze {freeze_id}, or you may not see its pool.")
    return releases.asked_json(bound_changes.ask_lift(row, acting(who, said.reason)).pk, who)


@router.post("/windows", auth=OPERATE, summary="Ask for a window")
def window_set(request: HttpRequest, said: shapes.Window) -> HttpResponse:
    """In addition, or instead of one. 202 with the request: another person decides."""
    who = caller.of(request)
    pool = finding.place(who, said.pool)
    old = Window.objects.filter(pk=said.instead_of or 0, pool=pool, ended_at=None).first()
    if said.instead_of and old is None:
        raise Problem(404, f"There is no window {said.instead_of} there.")
    rules = [{"days": it.days, "from": it.from_, "until": it.until} for it in said.rules]
    wanted = {"title": said.title, "zone": said.zone, "rules": rules}
    asked = bound_changes.ask_window(pool, acting(who, said.reason), wanted, instead_of=old)
    return releases.asked_json(asked.pk, who)


@router.post("/windows/{int:window_id}/end", auth=OPERATE, summary="Ask to end a window")
def window_end(request: HttpRequest, window_id: int, said: shapes.Why = shapes.NO_WORDS) -> HttpResponse:
    """202 with the request: another person decides."""
    who = caller.of(request)
    row = Window.objects.select_related("pool").filter(pk=window_id).first()
    if row is None or not sees(who, row.pool):
        raise Problem(404, f"There is no window {window_id}, or you may not see its pool.")
    return releases.asked_json(bound_changes.ask_window_end(row, acting(who, said.reason)).pk, who)


@router.post("/budgets", auth=OPERATE, summary="Ask for another budget")
def budget_set(request: HttpRequest, said: shapes.Budget) -> HttpResponse:
    """What is left out is no limit. 202 with the request: another person decides."""
    who = caller.of(request)
    wanted = {name: getattr(said, name) for name in bound_changes.BUDGET_COLUMNS}
    asked = bound_changes.ask_budget(finding.place(who, said.pool), acting(who, said.reason), wanted)
    return releases.asked_json(asked.pk, who)


def acting(who: Caller, why: str) -> Who:
    return Who(who.user, who.actor, who.now, why)


def sees(who: Caller, pool: Pool | None) -> bool:
    """Whether the caller may see a bound of this pool; those of the fleet bind every pool."""
    if pool is None:
        who.demand("all")
        return True
    return who.within(visible_pools(who.user), "pk").filter(pk=pool.pk).exists()


def ended(starts_at: Any, hours: int) -> Any:
    """None: until somebody lifts it."""
    try:
        return starts_at + timedelta(hours=hours) if hours else None
    except OverflowError:
        raise Problem(422, "hours: the freeze would end after the last date there is.") from None
