"""What a person asks of a rollout: one address an action, POST only. A refusal is shown, not swallowed."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from approvals import step_up
from approvals.errors import Refused
from approvals.people import actor, person
from approvals.story import tell
from upgrader import deciding, pages, selectors
from upgrader.api import as_json
from upgrader.models import Rollout
from upgrader.views.asks import ASK, NEEDS_REASON, STEP_UP, Said, said_by


@require_POST
def rollout_move(request: HttpRequest, rollout_id: int, path: str) -> HttpResponse:
    """Ask for one action; answer with the page it leads to, or with the sentence why not (409; 422: reason missing)."""
    action, said = _action(path), said_by(request)
    rollout = selectors.rollout_for(person(request), rollout_id)
    if unproven := _unproven(request, rollout, action):
        return unproven
    status, refusal = _asked(rollout, action, said, request)
    return _answer(request, rollout_id, action, refusal=refusal, status=status)


@require_POST
def rollout_move_json(request: HttpRequest, rollout_id: int, path: str) -> HttpResponse:
    """The same for programs: the rollout as it is then, or {"say": why not} (409; 422; 404)."""
    try:
        action, said = _action(path), said_by(request)
        rollout = selectors.rollout_for(person(request), rollout_id)
    except Http404 as unknown:
        return JsonResponse({"say": str(unknown)}, status=404)
    if unproven := _unproven(request, rollout, action):
        return unproven
    status, refusal = _asked(rollout, action, said, request)
    user, now = person(request), timezone.now()
    if refusal:
        stands = selectors.rollout_for(user, rollout_id)  # as it is now: who was faster is known by that
        about = {"state": stands.state, "version": stands.version, "reason": stands.reason}
        return JsonResponse({"say": refusal, **about}, status=status)
    return JsonResponse(as_json(selectors.picture(selectors.rollout_for(user, rollout_id), user, now=now), now))


def _action(path: str) -> str:
    action = path.replace("-", "_")
    if action not in ASK or "_" in path:
        raise Http404(f"There is no action {path}.")
    return action


def _unproven(request: HttpRequest, rollout: Rollout, action: str) -> HttpResponse | None:
    """Where he first proves that it is he, or None; he comes back to the page of this decision."""
    if action not in STEP_UP:
        return None
    strength = deciding.strength(rollout, action)
    wanted = step_up.missing(request) or (step_up.missing(request, strength) if strength else "")
    if not wanted:
        return None
    said = said_by(request)
    about = f"&gateway={said.gateway}" if said.gateway else ""
    back = f"{reverse('decision', args=[rollout.pk])}?do={action.replace('_', '-')}{about}"
    return step_up.ask(request, back=back, strength=wanted)


def _asked(rollout: Rollout, action: str, said: Said, request: HttpRequest) -> tuple[int, str]:
    """Ask; return the status and the sentence why not, "" when it was done."""
    if action in NEEDS_REASON and not said.reason:
        return 422, NEEDS_REASON[action]
    try:
        ASK[action](rollout, said, actor(request), timezone.now())
    except Refused as refusal:
        return 409, refusal.say
    return 200, ""


def _answer(request: HttpRequest, rollout_id: int, action: str, *, refusal: str, status: int) -> HttpResponse:
    """The part or the page that the form was on; after success the rollout's page."""
    target = request.headers.get("HX-Target", "")
    if not refusal and target != "rollout":
        page = reverse("rollout", args=[rollout_id])
        return HttpResponse(status=204, headers={"HX-Redirect": page}) if target else redirect(page)
    user, now, said = person(request), timezone.now(), said_by(request)
    rollout = selectors.rollout_for(user, rollout_id)  # as it is now
    deciding = target == "decision" or (not target and "decision" in request.POST)
    if deciding:
        context = pages.decision_context(rollout, user, action=action, now=now, gateway=said.gateway)
        template = "upgrader/_decision_now.html" if target else "upgrader/decision_page.html"
    else:
        context = pages.rollout_context(rollout, user, now=now)
        template = "upgrader/_rollout_now.html" if target else "upgrader/rollout_page.html"
    context |= {"refusal": refusal, "typed": said.reason, "meanwhile": _meanwhile(request, rollout, said)}
    return render(request, template, context, status=status)


def _meanwhile(request: HttpRequest, rollout: Rollout, said: Said) -> str:
    """Who did what since the page was drawn; "" when the page was not old."""
    if "version" not in request.POST or said.version == rollout.version:
        return ""
    event = selectors.last_move(rollout)
    if event is None:
        return ""
    told = tell(event)
    return f"Meanwhile: {told.who}, {told.what}."
