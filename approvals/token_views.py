"""One's own tokens: the list, a new one (shown once), and the end of one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from approvals import people, tokens
from approvals.errors import Refused
from approvals.models import ApiToken

DAYS = (7, 30, 90, 365)


@require_safe
def token_list(request: HttpRequest) -> HttpResponse:
    """Those that open something, then those that are over."""
    return _list(request)


@require_POST
@never_cache
def token_add(request: HttpRequest) -> HttpResponse:
    """Make one and show it, this once."""
    said = request.POST
    days = str(said.get("days", ""))
    wish = tokens.Wish(
        name=str(said.get("name", "")).strip(),
        scopes=said.getlist("scope"),
        places=said.getlist("place"),
        days=int(days) if days.isascii() and days.isdecimal() and len(days) < 5 else 0,
    )
    try:
        made, text = tokens.make(wish, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _list(request, refusal=refusal.say, typed=wish, status=409)
    return _list(request, made=made, text=text)


@require_POST
def token_end(request: HttpRequest, token_id: int) -> HttpResponse:
    """Let it open nothing any more."""
    person = people.person(request)
    token = get_object_or_404(ApiToken, pk=token_id, owner=person)
    tokens.end(token, by=person, actor=people.actor(request), now=timezone.now())
    return redirect("tokens")


def _list(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user, now = people.person(request), timezone.now()
    names = dict(tokens.places(user))
    standing = tokens.standing(user, now)
    over = ApiToken.objects.filter(owner=user).exclude(pk__in=standing.values("pk"))[:20]
    context = {
        "rows": [(row, [names.get(place, place) for place in row.places]) for row in standing],
        "over": over,
        "now": now,
        "scopes": tokens.SCOPE_SAYS.items(),
        "places": names.items(),
        "days": DAYS,
        "host": request.get_host(),
        **more,
    }
    return render(request, "approvals/token_list.html", context, status=status)
