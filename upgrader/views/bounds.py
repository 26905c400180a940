"""The page of windows, freezes and budgets, what may be done and asked there, and the same for programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import windows
from approvals.errors import Refused
from approvals.models import Request
from approvals.people import actor, person
from approvals.windows import DAYS
from fleet.models import Pool
from fleet.selectors import visible_pools
from upgrader import bound_changes, bound_pages
from upgrader.bound_changes import REASON_MOST, Who
from upgrader.models import Freeze, Window

PLACES = 12  # on one page: each has forms of its own


@require_safe
def bounds_page(request: HttpRequest) -> HttpResponse:
    """Every place that one may see, the fleet first."""
    return _page(request)


@require_safe
def bounds_json(request: HttpRequest) -> JsonResponse:
    """The same facts for programs."""
    shown = bound_pages.places(person(request), now=timezone.now())
    return JsonResponse({"places": [bound_pages.as_json(place) for place in shown]})


@require_POST
def freeze_begin(request: HttpRequest, place: int) -> HttpResponse:
    """Freeze a place at once, or from a moment on."""

    def begin() -> None:
        pool, who = _place(request, place), _who(request)
        starts_at = _moment(request, "starts_at") or who.now
        bound_changes.begin_freeze(pool, who, starts_at=starts_at, ends_at=_end(request, starts_at))

    return _done(request, begin, place)


@require_POST
def freeze_lift(request: HttpRequest, freeze: int) -> HttpResponse:
    """Ask a second person to lift a freeze."""
    row = get_object_or_404(Freeze.objects.select_related("pool", "made_by"), pk=freeze)
    _place(request, row.pool_id or 0)
    return _asked(request, lambda: bound_changes.ask_lift(row, _who(request)), row.pool_id or 0)


@require_POST
def window_set(request: HttpRequest, place: int) -> HttpResponse:
    """Ask for a window, or for another in place of one."""

    def ask() -> Request:
        pool = _place(request, place)
        old = _number(request, "window")
        instead = get_object_or_404(Window, pk=old, pool=pool, ended_at=None) if old else None
        wanted = {"title": _said(request, "title")[:120], "zone": _said(request, "zone"), "rules": _rules(request)}
        return bound_changes.ask_window(pool, _who(request), wanted, instead_of=instead)

    return _asked(request, ask, place)


def _rules(request: HttpRequest) -> list[Any]:
    """The times of a window, in the form's order; one that was left empty is none."""
    begins = [begin.strip() for begin in request.POST.getlist("from")]
    ends = [end.strip() for end in request.POST.getlist("until")]
    rules = []
    for number, (begin, end) in enumerate(zip_longest(begins, ends, fillvalue="")):
        ticked = request.POST.getlist(f"days-{number}")
        if begin or end:
            rules.append({"days": [day for day in DAYS if day in ticked], "from": begin, "until": end})
    return rules


@require_POST
def window_end(request: HttpRequest, window: int) -> HttpResponse:
    """Ask a second person to end a window."""
    row = get_object_or_404(Window.objects.select_related("pool"), pk=window)
    _place(request, row.pool_id or 0)
    return _asked(request, lambda: bound_changes.ask_window_end(row, _who(request)), row.pool_id or 0)


@require_POST
def budget_set(request: HttpRequest, place: int) -> HttpResponse:
    """Ask for another budget; an empty number is no limit."""

    def ask() -> Request:
        wanted = {name: _number(request, name) for name in bound_changes.BUDGET_COLUMNS}
        return bound_changes.ask_budget(_place(request, place), _who(request), wanted)

    return _asked(request, ask, place)


def _page(request: HttpRequest, *, refusal: str = "", at: int | None = None, status: int = 200) -> HttpResponse:
    page = _some(bound_pages.places(person(request), now=timezone.now()), request.GET.get("page"), at)
    context = {
        # Where something was refused the form is shown whole, with the reason.
        "places": [place for place in page if not place.plain or place.key == at],
        "plain": [place for place in page if place.plain and place.key != at],
        "page": page,
        "refusal": refusal,
        "refused_at": at,
        "typed": request.POST,
        "zones": windows.zones(),
        "days": DAYS,
        "hours": (1, 4, 12, 24, 72, 168),
    }
    return render(request, "upgrader/bounds_page.html", context, status=status)


def _some(places: list[bound_pages.Place], number: str | None, at: int | None) -> Page[bound_pages.Place]:
    """A page of them: the fleet, then those with bounds of their own; the page of `at` where something was refused."""
    ordered = sorted(places, key=lambda place: (bool(place.pool), place.plain))
    keys = [place.key for place in ordered]
    wanted = keys.index(at) // PLACES + 1 if at in keys else number
    return Paginator(ordered, PLACES).get_page(wanted)


def _done(request: HttpRequest, act: Callable[[], None], place: int) -> HttpResponse:
    try:
        act()
    except Refused as refusal:
        return _page(request, refusal=refusal.say, at=place, status=409)
    return redirect("bounds")


def _asked(request: HttpRequest, ask: Callable[[], Request], place: int) -> HttpResponse:
    """The page of the request that was opened, or this page with the sentence why none was."""
    try:
        return redirect("change", ask().pk)
    except Refused as refusal:
        return _page(request, refusal=refusal.say, at=place, status=409)


def _place(request: HttpRequest, place: int) -> Pool | None:
    """The pool that one may see; None is the fleet."""
    if not place:
        return None
    pool = visible_pools(person(request)).filter(pk=place).first()
    if pool is None:
        raise Http404(f"There is no pool {place}, or you may not see it.")
    return pool


def _who(request: HttpRequest) -> Who:
    return Who(person(request), actor(request), timezone.now(), _said(request, "why")[:REASON_MOST])


def _said(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()


def _number(request: HttpRequest, name: str) -> int | None:
    """A whole number; None for an empty field. Refused for anything else."""
    text = _said(request, name)
    if text and not (text.isdecimal() and len(text) < 10):
        raise Refused(f"{text!r} is no whole number.")
    return int(text) if text else None


def _moment(request: HttpRequest, name: str) -> datetime | None:
    """A moment in UTC as browsers write it, 2026-11-24T08:00; None for an empty field."""
    text = _said(request, name)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
    except ValueError as unreadable:
        raise Refused(f"{text!r} is no moment; write it as 2026-11-24T08:00, in UTC.") from unreadable


def _end(request: HttpRequest, starts_at: datetime) -> datetime | None:
    """By the hours that were chosen; 0 is until somebody lifts it."""
    hours: Any = _number(request, "hours")
    try:
        return starts_at + timedelta(hours=hours) if hours else None
    except OverflowError as beyond:
        raise Refused("This freeze would end after the last date there is. Leave its end open instead.") from beyond
