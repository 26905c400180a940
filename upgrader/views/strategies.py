"""Strategies: the list, one version, writing the next one with a check at each pause, and retiring one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from approvals.errors import Refused
from approvals.models import User
from approvals.people import actor, person
from upgrader import strategy_pages, strategy_store
from upgrader.models import Strategy
from upgrader.strategy_text import TextError


def _viewer(request: HttpRequest) -> User:
    user = person(request)
    if not strategy_pages.may_see(user):
        raise Http404("There are no strategies that you may see.")
    return user


@require_safe
def strategy_list(request: HttpRequest) -> HttpResponse:
    """The newest version of each strategy."""
    user = _viewer(request)
    context = {"rows": strategy_pages.rows(), "may_add": strategy_store.may(user)}
    return render(request, "upgrader/strategy_list.html", context)


@require_safe
def strategy_page(request: HttpRequest, strategy_id: int) -> HttpResponse:
    """One version: its picture, its text, what it changed, where it is used."""
    return _page(request, strategy_id)


def _page(request: HttpRequest, strategy_id: int, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = _viewer(request)
    row = get_object_or_404(Strategy.objects.select_related("added_by"), pk=strategy_id)
    context = strategy_pages.page(row, user) | {"refusal": refusal, "typed": request.POST.get("reason", "")}
    return render(request, "upgrader/strategy_page.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def strategy_add(request: HttpRequest) -> HttpResponse:
    """Write the next version of a strategy, or a new one. What was typed stays, whatever is wrong with it."""
    _viewer(request)
    if request.method != "POST":
        return _form(request, *_begun(request))
    name, text = _typed(request)
    try:
        by = person(request)
        row, _ = strategy_store.add(name, text, by=by, actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _form(request, name, text, refusal=refusal.say, status=409)
    except TextError:
        return _form(request, name, text, status=422)
    return redirect("strategy", strategy_id=row.pk)


@require_POST
def strategy_check(request: HttpRequest) -> HttpResponse:
    """What the text is as it stands; nothing is kept."""
    _viewer(request)
    context = {"checked": strategy_pages.checked(*_typed(request))}
    return render(request, "upgrader/_strategy_check.html", context)


@require_POST
def strategy_retire(request: HttpRequest, strategy_id: int) -> HttpResponse:
    """Take every version out of the choice; rollouts that were drawn with one keep it."""
    _viewer(request)
    row = get_object_or_404(Strategy, pk=strategy_id)
    reason = str(request.POST.get("reason", "")).strip()[:2000]
    if not reason:
        return _page(request, strategy_id, refusal="Say why you retire it: it goes on the record.", status=422)
    try:
        strategy_store.retire(row.name, reason=reason, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, strategy_id, refusal=refusal.say, status=409)
    return redirect("strategy", strategy_id=row.pk)


def _typed(request: HttpRequest) -> tuple[str, str]:
    """Browsers send CRLF; a text with it would be another one than the same text from a file."""
    text = str(request.POST.get("text", "")).replace("\r\n", "\n")
    return str(request.POST.get("name", "")).strip(), text


def _begun(request: HttpRequest) -> tuple[str, str]:
    """The form's first content: a version that is to be followed, or the usual strategy under no name."""
    asked = str(request.GET.get("from", ""))
    if asked.isdecimal() and len(asked) < 10:
        row = get_object_or_404(Strategy, pk=int(asked))
        return row.name, strategy_pages.source(row)
    return "", strategy_store.shipped()["careful-canary"]


def _form(request: HttpRequest, name: str, text: str, *, refusal: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "checked": strategy_pages.checked(name, text),
        "refusal": refusal,
        "may_add": strategy_store.may(person(request)),
    }
    return render(request, "upgrader/strategy_form.html", context, status=status)
