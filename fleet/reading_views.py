"""What was measured on a gateway: charts as JSON, and the same as a table."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from approvals.people import person
from fleet import selectors
from fleet.alarms import thresholds
from fleet.metrics import bands, compare, pages
from fleet.metrics.compare import Asked
from fleet.models import Gateway


def seen(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)


@require_safe
def gateway_chart(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """The charts of a gateway's slots for static/js/charts.js."""
    gateway = seen(request, gateway_id)
    return charted(request, _asked(request, gateway))


@require_safe
def gateway_readings(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """How the gateway stands, with its charts; htmx asks for this part alone."""
    gateway = seen(request, gateway_id)
    context = {"gateway": gateway, **pages.part(gateway, time.time(), pages.hours_of(request.GET.get("hours")))}
    template = "fleet/_gateway_readings.html" if request.headers.get("HX-Request") else "fleet/gateway_readings.html"
    return render(request, template, context)


@require_safe
def gateway_numbers(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """The charts as a table."""
    gateway, hours = seen(request, gateway_id), pages.hours_of(request.GET.get("hours"))
    title, back = f"Measured on {gateway.name}, the last {hours} h", ("gateway", gateway.pk, gateway.name)
    return tabled(request, _asked(request, gateway), title=title, back=back, who="Slot")


def _asked(request: HttpRequest, gateway: Gateway) -> Asked:
    hours = pages.hours_of(request.GET.get("hours"))
    return pages.asked(gateway, time.time(), hours, alarms=thresholds.of_pool(gateway.pool_id, bands.PANELS))


def charted(request: HttpRequest, asked: Asked) -> HttpResponse:
    """Charts below each other; ?after= and ?step= say what the page has already."""
    after, step = (pages.whole(request.GET.get(name)) for name in ("after", "step"))
    told = compare.figure(asked, now=time.time(), after=after, step=step)
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


def tabled(request: HttpRequest, asked: Asked, *, title: str, back: tuple[str, int, str], who: str) -> HttpResponse:
    """The same as a table. `back`: the page that it belongs to, as a route, its number and its name."""
    rows, titles = compare.rows(asked, now=time.time()), [panel.title for panel in asked.panels.values()]
    return table(request, {"title": title, "back": back, "who": who, "titles": titles, "rows": rows})


def table(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """What components/measured.html needs as a page, or as the part of one that htmx asks for."""
    part = request.headers.get("HX-Request")
    return render(request, "components/measured.html" if part else "fleet/measured_page.html", context)
