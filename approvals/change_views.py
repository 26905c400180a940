"""Changes that need a second person: the list, one to decide, and the answer."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import changes, hearing, people, policies, rights, step_up
from approvals.errors import Refused
from approvals.models import Request
from approvals.selectors import events_about

ANSWERS = {"approve": True, "reject": False}


@require_safe
def change_list(request: HttpRequest) -> HttpResponse:
    """Every change that one may see; those that wait for this person first."""
    user = people.person(request)
    mine = changes.waiting_for(user)
    others = [asked for asked in changes.visible(user) if asked not in mine]
    context = {
        "mine": mine,
        "waiting": [asked for asked in others if asked.state == Request.State.OPEN],
        "over": [asked for asked in others if asked.state != Request.State.OPEN],
        "now": timezone.now(),
    }
    return render(request, "approvals/change_list.html", context)


@require_safe
def change_page(request: HttpRequest, change_id: int) -> HttpResponse:
    """One change: what, why, the difference, who said what."""
    return _page(request, _asked(request, change_id), typed=step_up.typed(request))


@require_POST
def change_decide(request: HttpRequest, change_id: int, answer: str) -> HttpResponse:
    """One person's yes or no; the page again, with the sentence why not when it was not taken (409)."""
    asked = _asked(request, change_id)
    if answer not in ANSWERS:
        raise Http404(f"There is no answer {answer}.")
    if wanted := _unproven(request, asked) if ANSWERS[answer] else "":
        return step_up.ask(request, back=reverse("change", args=[change_id]), strength=wanted)
    reason = str(request.POST.get("reason", "")).strip()[:2000]
    words = {"yes": ANSWERS[answer], "reason": reason, "digest": str(request.POST.get("digest", ""))[:64]}
    try:
        changes.decide(
            asked,
            by=people.person(request),
            now=timezone.now(),
            actor=people.actor(request),
            **words,  # type: ignore[arg-type]  # a dict's values are of one type to mypy; these are Words
        )
    except Refused as refusal:
        return _page(request, _asked(request, change_id), refusal=refusal.say, typed=reason, status=409)
    if request.headers.get("HX-Request"):
        return _page(request, _asked(request, change_id))
    return redirect("change", change_id)


def _unproven(request: HttpRequest, asked: Request) -> str:
    """The proof that a yes takes and that is not given yet: what deciding asks of this person, or its policy."""
    strength = policies.strength(asked)
    return step_up.missing(request) or (step_up.missing(request, strength) if strength else "")


def _asked(request: HttpRequest, change_id: int) -> Request:
    asked = get_object_or_404(Request.objects.select_related("requested_by"), pk=change_id)
    if not changes.may_see(people.person(request), asked):
        raise Http404(f"There is no change {change_id}, or you may not see it.")
    return asked


def _page(
    request: HttpRequest, asked: Request, *, refusal: str = "", typed: str = "", status: int = 200
) -> HttpResponse:
    user = people.person(request)
    says, still = hearing.needed(asked)
    context: dict[str, Any] = {
        "policy_says": says,
        "still_needed": still,
        "asked": asked,
        "summary": asked.summary,
        "said": asked.decisions.select_related("by", "delegation__giver").order_by("at"),
        "may_decide": changes.may_decide(user, asked),
        "own": asked.requested_by_id == user.pk,
        "right": rights.said(asked.permission),
        "told": events_about(asked),
        "now": timezone.now(),
        "refusal": refusal,
        "typed": typed,
    }
    part = request.headers.get("HX-Target") == "change"
    return render(
        request, "approvals/_change_now.html" if part else "approvals/change_page.html", context, status=status
    )
