"""The first page: what needs me, what runs, how the fleet is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import breakglass, changes
from approvals.models import User
from approvals.people import person
from fleet import alert_pages, call_pages
from upgrader import drafts, first_steps, selectors
from upgrader.actions import offers
from upgrader.models import Rollout
from upgrader.why import why

CARDS = 20
FULL = 3  # rollouts of each list that are drawn; the others are lines: a card reads ten times, a line never


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Open decisions first; htmx asks for the part alone."""
    user = person(request)
    now = timezone.now()
    mine = list(selectors.needs_me(user, now=now)[: selectors.NEEDS_ME])
    others = list(selectors.running(user).exclude(pk__in=[rollout.pk for rollout in mine])[: selectors.NEEDS_ME])
    context = {
        "needs": [card(rollout, user) for rollout in mine[:FULL]],
        "more_needs": lines(mine[FULL:], now),
        "changes": changes.waiting_for(user)[:CARDS],
        "reviews": breakglass.waiting_for(user)[:CARDS],
        "alerts": alert_pages.rows(alert_pages.unanswered(user).order_by("since")[:CARDS], user),
        "calls": call_pages.views(call_pages.waiting_for(user)[:CARDS], user),
        "running": [card(rollout, user) for rollout in others[:FULL]],
        "more_running": lines(others[FULL:], now),
        "fleet": selectors.fleet_summary(user),
        "recent": lines(selectors.recent(user)[:5], now),
        "steps": (steps := [] if selectors.rollouts_for(user).exists() else first_steps.steps(user)),
        "next_step": next((step for step in steps if not step.done), None),
        "may_plan": drafts.pools(user).exists(),
    }
    part = request.headers.get("HX-Target") == "overview"
    return render(request, "upgrader/_overview_now.html" if part else "upgrader/overview.html", context)


def lines(rollouts: Iterable[Rollout], now: datetime) -> list[dict[str, Any]]:
    """One line each: what it is and what its list says of it."""
    return [{"rollout": rollout, "word": word} for rollout, word in selectors.words_of(rollouts, now)]


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
