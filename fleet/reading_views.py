"""What was measured on a gateway: charts as JSON, and the same as a table."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from approvals.people import person
from fleet import selectors
from fleet.metrics import charts, pages
from fleet.models import Gateway


def seen(request: HttpRequest, gateway_id: int) -> Gateway:
    return get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)


@require_safe
def gateway_chart(request: HttpRequest, gateway_id: int, panel: str) -> HttpResponse:
    """One figure for static/js/charts.js."""
    gateway = seen(request, gateway_id)
    if panel not in charts.PANELS:
        raise Http404(f"There is no chart {panel}.")
    found, shown = pages.measured(gateway, time.time(), pages.hours_of(request.GET.get("hours")))
    drawn = charts.PANELS[panel]
    empty = all(charts.ends(drawn, points) is None for points in found.values())
    figure = charts.figure(drawn, found, shown, marks=pages.marks(gateway, shown))
    told = {"figure": figure, "say": charts.say(drawn, found), "empty": empty}
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


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
    found, _ = pages.measured(gateway, time.time(), hours)
    title, back = f"Measured on {gateway.name}, the last {hours} h", ("gateway", gateway.pk, gateway.name)
    titles = [panel.title for panel in charts.PANELS.values()]
    return table(request, {"title": title, "back": back, "who": "Slot", "titles": titles, "rows": charts.table(found)})


def table(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """What components/measured.html needs as a page, or as the part of one that htmx asks for."""
    part = request.headers.get("HX-Request")
    return render(request, "components/measured.html" if part else "fleet/measured_page.html", context)
