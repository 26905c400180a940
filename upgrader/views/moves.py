"""What a person asks of a rollout: one address an action, POST only. A refusal is shown, not swallowed."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from approvals.errors import Refused
from approvals.people import actor, person
from approvals.story import tell
from upgrader import pages, selectors, services
from upgrader.models import Rollout
from upgrader.views.rollouts import number

NEEDS_REASON = {
    "reject": "Say why you reject it: who asked needs the reason.",
    "roll_back": "Say why you roll back: it goes on the record.",
}


def _reason(request: HttpRequest) -> str:
    return str(request.POST.get("reason", "")).strip()[:2000]


def _decide(rollout: Rollout, request: HttpRequest, *, yes: bool) -> None:
    services.decide(
        rollout,
        yes=yes,
        reason=_reason(request),
        digest=str(request.POST.get("digest", "")),
        actor=actor(request),
        now=timezone.now(),
    )


def _submit(rollout: Rollout, request: HttpRequest) -> None:
    services.submit(rollout, actor=actor(request), seen_version=number(request, "version"), now=timezone.now())


def _with_reason(service: Callable[..., None]) -> Callable[[Rollout, HttpRequest], None]:
    def ask(rollout: Rollout, request: HttpRequest) -> None:
        version, reason = number(request, "version"), _reason(request)
        service(rollout, actor=actor(request), seen_version=version, reason=reason, now=timezone.now())

    return ask


ASK: dict[str, Callable[[Rollout, HttpRequest], None]] = {
    "submit": _submit,
    "approve": lambda rollout, request: _decide(rollout, request, yes=True),
    "reject": lambda rollout, request: _decide(rollout, request, yes=False),
    "promote": _with_reason(services.promote),
    "hold": _with_reason(services.hold),
    "resume": _with_reason(services.resume),
    "roll_back": _with_reason(services.roll_back),
}


@require_POST
def rollout_move(request: HttpRequest, rollout_id: int, path: str) -> HttpResponse:
    """Ask for one action; answer with the page it leads to, or with the sentence why not (409; 422: reason missing)."""
    action = path.replace("-", "_")
    if action not in ASK or "_" in path:
        raise Http404(f"There is no action {path}.")
    rollout = selectors.rollout_for(person(request), rollout_id)
    if action in NEEDS_REASON and not _reason(request):
        return _answer(request, rollout_id, action, refusal=NEEDS_REASON[action], status=422)
    try:
        ASK[action](rollout, request)
    except Refused as refusal:
        return _answer(request, rollout_id, action, refusal=refusal.say, status=409)
    return _answer(request, rollout_id, action)


def _answer(
    request: HttpRequest, rollout_id: int, action: str, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    """The part or the page that the form was on; after success the rollout's page."""
    target = request.headers.get("HX-Target", "")
    if not refusal and target != "rollout":
        page = reverse("rollout", args=[rollout_id])
        return HttpResponse(status=204, headers={"HX-Redirect": page}) if target else redirect(page)
    user, now = person(request), timezone.now()
    rollout = selectors.rollout_for(user, rollout_id)  # as it is now
    deciding = target == "decision" or (not target and "decision" in request.POST)
    if deciding:
        context = pages.decision_context(rollout, user, action=action, now=now)
        template = "upgrader/_decision_now.html" if target else "upgrader/decision_page.html"
    else:
        context = pages.rollout_context(rollout, user, now=now)
        template = "upgrader/_rollout_now.html" if target else "upgrader/rollout_page.html"
    context |= {"refusal": refusal, "typed": _reason(request), "meanwhile": _meanwhile(request, rollout)}
    return render(request, template, context, status=status)


def _meanwhile(request: HttpRequest, rollout: Rollout) -> str:
    """Who did what since the page was drawn; "" when the page was not old."""
    if "version" not in request.POST or number(request, "version") == rollout.version:
        return ""
    event = selectors.last_move(rollout)
    if event is None:
        return ""
    told = tell(event)
    return f"Meanwhile: {told.who}, {told.what}."
