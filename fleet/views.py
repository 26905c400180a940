"""Gateways and their slots."""

from __future__ import annotations

import time

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals import rights
from approvals.people import person
from fleet import alert_pages, enrol_pages, remedies, selectors
from fleet.metrics import pages as measured
from fleet.models import Balancer, Gateway, ProbeHost
from fleet.probes import pages as probes
from fleet.prometheus import pages as prometheus
from fleet.quiet import selectors as quiet
from fleet.slots import view_of
from fleet.tickets import pages as tickets

MOST = 200


@require_safe
def gateway_list(request: HttpRequest) -> HttpResponse:
    """Every gateway that one may see, those in trouble first; htmx asks for the rows alone."""
    gateways = selectors.gateways_for(person(request))
    words = str(request.GET.get("q", "")).strip()[:80]
    if words:
        gateways = gateways.filter(Q(name__icontains=words) | Q(pool__name__icontains=words))
    context = {
        "views": selectors.gateway_views(gateways, timezone.now(), MOST),
        "total": gateways.count(),
        "most": MOST,
        "q": words,
        "pools": selectors.visible_pools(person(request)).count(),
        "may_enrol": selectors.pools_with(person(request), "enrol_gateway").exists(),
        "sees_credentials": enrol_pages.sees_credentials(person(request)),
        "balancers": Balancer.objects.exists(),
        "probe_hosts": ProbeHost.objects.exists(),
        "drifted": alert_pages.alerts_for(person(request)).filter(ended_at=None).count(),
    }
    template = "fleet/_gateway_rows.html" if request.headers.get("HX-Request") else "fleet/gateway_list.html"
    return render(request, template, context)


@require_safe
def gateway_page(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """One gateway: its slots, who is on them, what it said last, how its host is known."""
    gateway = get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)
    context = {
        "view": view_of(gateway, timezone.now()),
        "gateway": gateway,
        "keys": selectors.host_keys(gateway),
        "facts": gateway.facts or {},
        "quarantined": gateway.state == Gateway.State.QUARANTINED,
        "acts": enrol_pages.acts(person(request), gateway),
        "alerts": alert_pages.of_gateway(gateway),
        "behind": alert_pages.behind_on(gateway),
        "may_ask": rights.may(person(request), remedies.RIGHT, f"pool:{gateway.pool_id}"),
    }
    context |= probes.of_gateway(gateway, time.time()) | prometheus.of_gateway(gateway, time.time())
    context |= measured.part(gateway, time.time(), measured.HOURS[0])
    context |= quiet.of_gateway(gateway)
    context |= tickets.of_gateway(gateway, person(request), timezone.now())
    template = "fleet/_gateway_now.html" if request.headers.get("HX-Request") else "fleet/gateway_page.html"
    return render(request, template, context)
