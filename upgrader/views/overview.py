"""The first page: what needs me, what runs, how the fleet is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import changes
from approvals.models import User
from approvals.people import person
from fleet import alert_pages, call_pages
from upgrader import drafts, first_steps, selectors
from upgrader.actions import offers
from upgrader.models import Rollout
from upgrader.states import R
from upgrader.why import why
from upgrader.words import ROLLOUT

CARDS = 20


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Open decisions first; htmx asks for the part alone."""
    user = person(request)
    mine = list(selectors.needs_me(user, now=timezone.now())[:CARDS])
    others = selectors.running(user).exclude(pk__in=[rollout.pk for rollout in mine])[:CARDS]
    context = {
        "needs": [card(rollout, user) for rollout in mine],
        "changes": changes.waiting_for(user)[:CARDS],
        "alerts": alert_pages.rows(alert_pages.unanswered(user).order_by("since")[:CARDS], user),
        "calls": call_pages.views(call_pages.waiting_for(user)[:CARDS], user),
        "running": [card(rollout, user) for rollout in others],
        "fleet": selectors.fleet_summary(user),
        "recent": [{"rollout": row, "word": ROLLOUT[R(row.state)]} for row in selectors.recent(user)[:5]],
        "steps": (steps := [] if selectors.rollouts_for(user).exists() else first_steps.steps(user)),
        "next_step": next((step for step in steps if not step.done), None),
        "may_plan": drafts.pools(user).exists(),
    }
    part = request.headers.get("HX-Target") == "overview"
    return render(request, "upgrader/_overview_now.html" if part else "upgrader/overview.html", context)


def card(rollout: Rollout, user: User) -> dict[str, Any]:
    """One rollout on the first page: its sentence, and the one thing that this person may do about it."""
    now = timezone.now()
    seen = selectors.picture(rollout, user, now=now)
    enabled = [offer for offer in offers(seen, now) if offer.shown and offer.enabled and offer.tone == "go"]
    return {"seen": seen, "why": why(seen, now), "offer": enabled[-1] if enabled else None}


@require_safe
def inbox_count(request: HttpRequest) -> HttpResponse:
    """The number in the header, for its refresh."""
    return render(request, "components/needs.html")
