"""Who is on call: the list of pools, one pool's calendar, and what is set, taken over and said there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import duty_journal, duty_pages, people
from approvals.duty_journal import Week, Who
from approvals.errors import Refused
from approvals.models import Cover, Shift, User

SHIFT, COVER = "shift", "cover"


@require_safe
def duty_list(request: HttpRequest) -> HttpResponse:
    """Every pool that one sees, and who is on call for it."""
    shown = duty_pages.places(people.person(request), timezone.now())
    return render(request, "people/duty_list.html", {"places": shown})


@require_safe
def duty_page(request: HttpRequest, pool_id: int) -> HttpResponse:
    """One pool's calendar."""
    return _page(request, pool_id)


@require_POST
def shift_add(request: HttpRequest, pool_id: int) -> HttpResponse:
    def act(scope: str, who: Who) -> None:
        times = tuple(_said(request, name) for name in ("start", "until", "zone"))
        week = Week(tuple(str(day) for day in request.POST.getlist("days")), *times)
        duty_journal.add_shift(scope, _person(request), week, who)

    return _done(request, pool_id, act)


@require_POST
def cover_add(request: HttpRequest, pool_id: int) -> HttpResponse:
    def act(scope: str, who: Who) -> None:
        begins, ends = _moment(request, "begins"), _moment(request, "ends")
        duty_journal.add_cover(scope, _person(request), who, begins=begins, ends=ends)

    return _done(request, pool_id, act)


@require_POST
def duty_end(request: HttpRequest, pool_id: int, kind: str, row: int) -> HttpResponse:
    """End a shift or a cover of this pool."""

    def act(scope: str, who: Who) -> None:
        if kind == SHIFT:
            duty_journal.end_shift(get_object_or_404(Shift, pk=row, scope=scope), who)
        else:
            duty_journal.end_cover(get_object_or_404(Cover, pk=row, scope=scope), who)

    if kind not in (SHIFT, COVER):
        raise Http404(f"There is no {kind} to end.")
    return _done(request, pool_id, act)


@require_POST
def duty_take(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Take over now."""
    return _done(request, pool_id, duty_journal.take_over)


@require_POST
def duty_note(request: HttpRequest, pool_id: int) -> HttpResponse:
    """Leave one's word for the next."""
    return _done(request, pool_id, duty_journal.leave_note)


@require_POST
def duty_word(request: HttpRequest, pool_id: int, row: int) -> HttpResponse:
    """Give one's word to having been relieved."""

    def act(scope: str, who: Who) -> None:
        duty_journal.give_word(get_object_or_404(Cover, pk=row, scope=scope, taken=True), who)

    return _done(request, pool_id, act)


def _done(request: HttpRequest, pool_id: int, act: Callable[[str, Who], object]) -> HttpResponse:
    user, now = people.person(request), timezone.now()
    if pool_id not in {place.pk for place in duty_pages.places(user, now)}:
        raise Http404(f"There is no pool {pool_id}, or you may not see it.")
    try:
        act(duty_pages.scope_of(pool_id), Who(user, people.actor(request), now, _said(request, "why")))
    except Refused as refusal:
        return _page(request, pool_id, refusal=refusal.say)
    return redirect("duty", pool_id)


def _page(request: HttpRequest, pool_id: int, *, refusal: str = "") -> HttpResponse:
    try:
        context = duty_pages.context(people.person(request), pool_id, timezone.now())
    except LookupError as unknown:
        raise Http404(f"There is no pool {pool_id}, or you may not see it.") from unknown
    context |= {"refusal": refusal, "typed": request.POST}
    return render(request, "people/duty_page.html", context, status=409 if refusal else 200)


def _said(request: HttpRequest, name: str) -> str:
    return str(request.POST.get(name, "")).strip()


def _person(request: HttpRequest) -> User:
    found = User.objects.filter(username=_said(request, "person")).first()
    if found is None:
        raise Refused("Choose who is on call.")
    return found


def _moment(request: HttpRequest, name: str) -> datetime:
    """A moment in UTC as browsers write it, 2026-11-24T08:00."""
    try:
        return datetime.fromisoformat(_said(request, name)).replace(tzinfo=UTC)
    except ValueError as unreadable:
        raise Refused("Give both moments as 2026-11-24T08:00, in UTC.") from unreadable
