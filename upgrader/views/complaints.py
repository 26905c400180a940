"""A complaint by hand on the page of a rollout."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from approvals.errors import Refused
from approvals.people import actor, person
from fleet import selectors as fleet
from fleet.tickets import services
from upgrader import complaint_pages, selectors
from upgrader.models import Rollout
from upgrader.views.rollouts import number

FIELDS = ("text", "user", "address", "at")


@require_http_methods(["GET", "HEAD", "POST"])
def rollout_complaint(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """Note one; the form again with what was typed where it is refused."""
    rollout = selectors.rollout_for(person(request), rollout_id)
    said = {name: str(request.POST.get(name, "")).strip() for name in FIELDS}
    if request.method != "POST":
        return _form(request, rollout, typed=said)
    chosen = number(request, "gateway")
    gateway = fleet.gateways_for(person(request)).filter(pk=chosen, upgrades__wave__rollout=rollout).first()
    try:
        if chosen and gateway is None:
            raise Refused("This gateway is not one of the rollout's.")
        services.report(gateway or rollout.pool, said, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        typed = said | {"gateway": str(chosen or "")}
        return _form(request, rollout, typed=typed, refusal=refusal.say, status=409)
    return redirect(f"{reverse('rollout', args=[rollout.pk])}#complaints")


def _form(
    request: HttpRequest, rollout: Rollout, *, typed: dict[str, str], refusal: str = "", status: int = 200
) -> HttpResponse:
    may = services.may_report(person(request), rollout.pool_id)
    context = {"rollout": rollout, "typed": typed, "refusal": refusal, "may": may}
    gateways = complaint_pages.gateways_of(rollout)
    return render(request, "upgrader/complaint_page.html", {**context, "gateways": gateways}, status=status)
