"""The way on for a gateway that is ahead of this database: ask a second person to believe it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from approvals import people
from approvals.errors import Refused
from fleet import selectors
from upgrader import believing


@require_POST
def gateway_believe(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """Ask for it; the second person reads what will be closed."""
    person = people.person(request)
    gateway = get_object_or_404(selectors.gateways_for(person), pk=gateway_id)
    why = str(request.POST.get("why", ""))[:2000]
    try:
        asked = believing.ask(gateway, by=person, actor=people.actor(request), now=timezone.now(), why=why)
    except Refused as refusal:
        context = {"gateway": gateway, "refusal": refusal.say}
        return render(request, "fleet/gateway_refused.html", context, status=409)
    return redirect("change", asked.pk)
