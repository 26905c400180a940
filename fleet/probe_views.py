"""Probe hosts: where they stand, what they find, and how one asks for another."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet import selectors
from fleet.alarms import thresholds
from fleet.metrics import pages as measured
from fleet.metrics.compare import Asked
from fleet.models import Gateway, ProbeHost
from fleet.probes import charts, hosts, pages
from fleet.reading_views import charted, tabled

RIGHT = "enrol_gateway"


@require_safe
def probe_list(request: HttpRequest) -> HttpResponse:
    """Every probe host of the pools that one may see, with what it found last."""
    return _page(request)


@require_safe
def gateway_probes(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """How one gateway looks from its probe hosts; htmx asks for this part alone."""
    gateway = _seen(request, gateway_id)
    context = {"gateway": gateway, **pages.of_gateway(gateway, time.time()), **_back(request)}
    part = request.headers.get("HX-Request")
    return render(request, "fleet/_gateway_probes.html" if part else "fleet/gateway_probes.html", context)


@require_safe
def gateway_probe_chart(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """What probe hosts found at one gateway, as charts for static/js/charts.js."""
    return charted(request, _asked(request, _seen(request, gateway_id)))


@require_safe
def gateway_probe_numbers(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """The same as a table."""
    gateway = _seen(request, gateway_id)
    hours = measured.hours_of(request.GET.get("hours"))
    title, back = f"Seen from outside, the last {hours} h", ("gateway", gateway.pk, gateway.name)
    return tabled(request, _asked(request, gateway), title=title, back=back, who="Probe host")


def _seen(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)


def _back(request: HttpRequest) -> dict[str, Any]:
    """How far the charts look back."""
    return {"hours": measured.hours_of(request.GET.get("hours")), "ranges": measured.ranges()}


def _asked(request: HttpRequest, gateway: Gateway) -> Asked:
    alarms = thresholds.of_pool(gateway.pool_id, charts.PANELS)
    return charts.asked(gateway, time.time(), measured.hours_of(request.GET.get("hours")), alarms=alarms)


@require_POST
def probe_add(request: HttpRequest) -> HttpResponse:
    """Ask a second person for a probe host, or for another host key of one."""
    said = {name: str(request.POST.get(name, "")).strip() for name in ("name", "where", "key", "why")}
    other = {name: str(request.POST.get(name, "")).strip() for name in ("seen_from", "ping", "fetch")}
    try:
        number = str(request.POST.get("pool", ""))
        chosen = int(number) if number.isdecimal() and len(number) < 10 else 0
        pool = selectors.pools_with(person(request), RIGHT).filter(pk=chosen).first()
        if pool is None:
            raise Refused("You may not ask for a probe host in this pool: you lack the right “May enrol gateways”.")
        wish = hosts.asked_of(said["name"], said["where"], said["key"], ssh_ca="ssh_ca" in request.POST, **other)
        asked = hosts.propose(wish, pool, why=said["why"][:2000], **_who(request))
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("change", asked.pk)


@require_POST
def probe_remove(request: HttpRequest, host_id: int) -> HttpResponse:
    """Ask a second person to forget a probe host."""
    host = get_object_or_404(ProbeHost, pk=host_id, pool__in=selectors.visible_pools(person(request)))
    try:
        asked = hosts.propose_removal(host, why=str(request.POST.get("why", "")).strip()[:2000], **_who(request))
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("change", asked.pk)


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"by": person(request), "actor": actor(request), "now": timezone.now()}


def _page(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = person(request)
    pools = selectors.pools_with(user, RIGHT)
    context = pages.of_hosts(selectors.visible_pools(user), time.time())
    context |= {"pools": list(pools), "mine": {pool.pk for pool in pools}, "typed": request.POST, "refusal": refusal}
    return render(request, "fleet/probe_list.html", context, status=status)
