"""What was measured during a rollout and in a pool: charts as JSON, the same as a table, and the pool's page."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from approvals.people import person
from fleet import selectors as fleet
from fleet.metrics import pages
from fleet.metrics.compare import Asked
from fleet.models import Pool
from fleet.reading_views import charted, tabled
from upgrader import measured, pool_pages, selectors
from upgrader.views.rollouts import number


@require_safe
def rollout_readings(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The charts of one wave for static/js/charts.js."""
    return charted(request, _of_wave(request, rollout_id))


@require_safe
def rollout_measured(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """The charts of one wave as a table."""
    back = ("rollout", rollout_id, f"Rollout {rollout_id}")
    title = f"Measured, wave {_wave(request)}"
    return tabled(request, _of_wave(request, rollout_id), title=title, back=back, who="Release")


@require_safe
def pool_page(request: HttpRequest, pool_id: int) -> HttpResponse:
    """One pool: its gateways, what runs on them, what was measured; htmx asks for the part alone."""
    context = pool_pages.page(_pool(request, pool_id), person(request), hours=_hours(request))
    part = request.headers.get("HX-Target") == "pool"
    return render(request, "upgrader/_pool_now.html" if part else "upgrader/pool_page.html", context)


@require_safe
def pool_readings(request: HttpRequest, pool_id: int) -> HttpResponse:
    """A pool's charts for static/js/charts.js."""
    asked = measured.of_pool(_pool(request, pool_id), hours=_hours(request), now=timezone.now())
    return charted(request, asked)


@require_safe
def pool_measured(request: HttpRequest, pool_id: int) -> HttpResponse:
    """A pool's charts as a table."""
    pool, hours = _pool(request, pool_id), _hours(request)
    asked = measured.of_pool(pool, hours=hours, now=timezone.now())
    title, back = f"Measured on {pool.name}, the last {hours} h", ("pool", pool_id, pool.name)
    return tabled(request, asked, title=title, back=back, who="Release")


def _of_wave(request: HttpRequest, rollout_id: int) -> Asked:
    rollout = selectors.rollout_for(person(request), rollout_id)
    asked = measured.of_wave(rollout, _wave(request), now=timezone.now())
    if asked is None:
        raise Http404(f"Wave {_wave(request)} of rollout {rollout_id} has not begun.")
    return asked


def _wave(request: HttpRequest) -> int:
    return number(request, "wave") or 1


def _pool(request: HttpRequest, pool_id: int) -> Pool:
    return get_object_or_404(fleet.visible_pools(person(request)), pk=pool_id)


def _hours(request: HttpRequest) -> int:
    return pages.hours_of(request.GET.get("hours"))
