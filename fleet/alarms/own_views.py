"""A rule of one's own: written over any metric, tried on the last day, then added."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import rights
from approvals.errors import Refused
from approvals.people import actor, person
from fleet.alarms import dryrun, rule_store
from fleet.alarms.metrics import METRICS
from fleet.alarms.rules import NUMBERS, RuleError, parse
from fleet.models import Pool
from fleet.selectors import visible_pools

UNNAMED = "Not called anything yet"
BLANK = {
    **{"metric": "session_errors", "comparison": "above", "threshold": "5", "clears_at": "2", "for_seconds": "120"},
    **{"window_seconds": "300", "least": "20", "severity": "warning", "place": "0"},
}


@require_safe
def rule_new(request: HttpRequest) -> HttpResponse:
    """The form."""
    return _form(request)


@require_POST
def rule_try(request: HttpRequest) -> HttpResponse:
    """How often it would have fired in the last day; nothing is written."""
    now = timezone.now()
    try:
        # What is found names gateways of every pool.
        rule_store.demand(person(request))
        pool, spec = _pool(request), spec_of(request)
        rule = parse(rule_store.code_of(spec["title"]), {**spec, "title": spec["title"] or UNNAMED})
    except RuleError as wrong:
        return _form(request, refusal=wrong.say, wrong=wrong.field, status=409)
    except Refused as refusal:
        return _form(request, refusal=refusal.say, status=409)
    return _form(request, tried=dryrun.tried(rule, pool, now).say(now), rule=rule)


@require_POST
def rule_add(request: HttpRequest) -> HttpResponse:
    """Judge by it from now on; 409 with the sentence and all that was typed."""
    said = rule_store.Said(person(request), actor(request), str(request.POST.get("why", "")), timezone.now())
    try:
        row = rule_store.add(_pool(request), spec_of(request), said=said)
    except RuleError as wrong:
        return _form(request, refusal=wrong.say, wrong=wrong.field, status=409)
    except Refused as refusal:
        return _form(request, refusal=refusal.say, status=409)
    return redirect("rule", row.code, row.pool_id or 0)


def spec_of(request: HttpRequest) -> dict[str, Any]:
    """What was typed, as a rule is stored; what is no number stays as it is and is refused with its name."""
    typed = request.POST
    spec: dict[str, Any] = {name: str(typed.get(name, "")) for name in ("metric", "comparison", "severity")}
    spec["title"] = " ".join(str(typed.get("title", "")).split())
    return spec | {name: _number(typed.get(name, "")) for name in NUMBERS}


def _number(text: object) -> float | str:
    try:
        return float(str(text).strip())
    except ValueError:
        return str(text)


def _pool(request: HttpRequest) -> Pool | None:
    """The pool that was chosen; None for the fleet."""
    text = str(request.POST.get("place", "0"))
    if text == "0":
        return None
    pool = visible_pools(person(request)).filter(pk=int(text)).first() if text.isdecimal() and len(text) < 10 else None
    if pool is None:
        raise Refused("There is no such pool, or you may not see it.")
    return pool


def _form(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "values": {**BLANK, **request.POST.dict()},
        "metrics": [(name, f"{one.title}, {one.unit}" if one.unit else one.title) for name, one in METRICS.items()],
        "pools": visible_pools(person(request)),
        "may": rights.may(person(request), rule_store.RIGHT, rights.EVERYTHING),
        "right": rights.said(rule_store.RIGHT),
        **more,
    }
    return render(request, "fleet/rule_new.html", context, status=status)
