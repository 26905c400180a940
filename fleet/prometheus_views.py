"""Prometheus as a source: which one is asked about which pool, and what it says of a gateway."""

from __future__ import annotations

import time

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet import selectors
from fleet.metrics import charts
from fleet.metrics import pages as measured
from fleet.models import Gateway, PrometheusSource
from fleet.prometheus import pages, promql, sources

RIGHT = "enrol_gateway"


@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    """Which Prometheus is asked about the pools that one may see, and whether it answers."""
    return _page(request)


@require_POST
def source_set(request: HttpRequest) -> HttpResponse:
    """Ask this server about a pool from now on."""
    said = {name: str(request.POST.get(name, "")).strip() for name in ("name", "url", "label", "token", "pool")}
    # A token is never shown, so an empty field leaves the one that is there.
    token = "" if "no_token" in request.POST else said["token"] or None
    queries = {key: str(request.POST.get(f"query_{key}", "")) for key in promql.METRICS}
    try:
        chosen = int(said["pool"]) if said["pool"].isdecimal() and len(said["pool"]) < 10 else 0
        pool = selectors.pools_with(person(request), RIGHT).filter(pk=chosen).first()
        if pool is None:
            raise Refused("You may not say what is asked about this pool: you lack the right “May enrol gateways”.")
        wish = sources.Wish(said["name"], said["url"], said["label"] or "instance", token, queries)
        sources.save(wish, pool, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("prometheus")


@require_POST
def source_drop(request: HttpRequest, source_id: int) -> HttpResponse:
    """Ask it no more."""
    visible = selectors.visible_pools(person(request))
    source = get_object_or_404(PrometheusSource.objects.select_related("pool"), pk=source_id, pool__in=visible)
    try:
        sources.drop(source, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("prometheus")


@require_safe
def gateway_prometheus(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """What Prometheus says of one gateway; htmx asks for this part alone."""
    gateway = _seen(request, gateway_id)
    context = {"gateway": gateway, **pages.of_gateway(gateway, time.time())}
    part = request.headers.get("HX-Request")
    return render(request, "fleet/_gateway_prometheus.html" if part else "fleet/gateway_prometheus.html", context)


@require_safe
def gateway_chart(request: HttpRequest, gateway_id: int, key: str) -> HttpResponse:
    """One figure for static/js/charts.js."""
    gateway = _seen(request, gateway_id)
    if key not in promql.METRICS:
        raise Http404(f"There is no chart {key}.")
    now = time.time()
    shown = charts.Range(now - 3600 * measured.hours_of(request.GET.get("hours")), now)
    return JsonResponse(pages.chart(gateway, key, shown), headers={"Cache-Control": "no-store"})


def _seen(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)


def _page(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = person(request)
    pools = selectors.pools_with(user, RIGHT)
    typed = request.POST
    context = {
        "sources": pages.of_sources(selectors.visible_pools(user), time.time()),
        "pools": list(pools),
        "mine": {pool.pk for pool in pools},
        "metrics": [(key, one.title, one.query, typed.get(f"query_{key}", "")) for key, one in promql.METRICS.items()],
        "typed": typed,
        "refusal": refusal,
    }
    return render(request, "fleet/prometheus_list.html", context, status=status)
