"""The decision page: what the phone opens at night. Text first, chart after, two buttons in reach of the thumb."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from approvals import breakglass, proofs, step_up
from approvals.errors import Refused
from approvals.people import actor, person
from upgrader import deciding, decision_json, glass, pages, selectors
from upgrader.models import Rollout
from upgrader.views.asks import said_by, whole


@require_safe
@vary_on_headers("Accept", "HX-Target")
def decision(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """What is to be decided about one rollout. ?do=roll-back asks for that; else what its state calls for."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return _json(request, rollout)
    context = _context(request, rollout) | {"typed": step_up.typed(request)}
    part = request.headers.get("HX-Target") == "decision"
    return render(request, "upgrader/_decision_now.html" if part else "upgrader/decision_page.html", context)


@require_safe
def decision_api(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The same as JSON."""
    try:
        return _json(request, selectors.rollout_for(person(request), rollout_id))
    except Http404 as unknown:
        return JsonResponse({"say": str(unknown)}, status=404)


@require_POST
def break_glass(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """Do alone what waits for a second person: with a strong proof and a reason."""
    user, said = person(request), said_by(request)
    rollout = selectors.rollout_for(user, rollout_id)
    strongest = proofs.PASSKEY if step_up.has_factor(user, "webauthn") else breakglass.STRENGTH
    back = request.POST.get("back", "")
    page = f"/decisions/{rollout_id}/?do={back}" if back.isascii() and back.replace("-", "").isalpha() else ""
    if wanted := step_up.missing(request, strongest):
        return step_up.ask(request, back=page or f"/decisions/{rollout_id}/", strength=wanted)
    what, now = str(request.POST.get("what", "")), timezone.now()
    try:
        glass.break_glass(rollout, what, reason=said.reason, digest=said.digest, actor=actor(request), now=now)
    except Refused as refusal:
        rollout = selectors.rollout_for(user, rollout_id)  # as it is now
        more = {"refusal": refusal.say, "typed": said.reason}
        return render(request, "upgrader/decision_page.html", _context(request, rollout) | more, status=409)
    return redirect("rollout", rollout_id)


def _json(request: HttpRequest, rollout: Rollout) -> HttpResponse:
    context = _context(request, rollout)
    return JsonResponse(decision_json.as_json(context, deciding.tests(rollout.release), context["now"]))


def _context(request: HttpRequest, rollout: Rollout) -> dict[str, Any]:
    action = str(request.GET.get("do", "")).replace("-", "_")
    meant = whole(request.GET.get("gateway"))
    return pages.decision_context(rollout, person(request), action=action, now=timezone.now(), gateway=meant)
