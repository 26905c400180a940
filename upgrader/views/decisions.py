"""The decision page: what the phone opens at night. Text first, chart after, two buttons in reach of the thumb."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import step_up
from approvals.people import person
from upgrader import pages, selectors
from upgrader.views.asks import whole


@require_safe
def decision(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """What is to be decided about one rollout. ?do=roll-back asks for that; else what its state calls for."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    action = str(request.GET.get("do", "")).replace("-", "_")
    meant = whole(request.GET.get("gateway"))
    context = pages.decision_context(rollout, person(request), action=action, now=timezone.now(), gateway=meant)
    context["typed"] = step_up.typed(request)
    part = request.headers.get("HX-Target") == "decision"
    return render(request, "upgrader/_decision_now.html" if part else "upgrader/decision_page.html", context)
