"""The page on which somebody hands his right to decide to another, and takes it back."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import delegation, people, policies, rights
from approvals.delegation import Hand
from approvals.errors import Refused
from approvals.models import Delegation, User

SHOWN = 100
HOURS_MOST = 24 * 30


@require_safe
def delegation_list(request: HttpRequest) -> HttpResponse:
    """Who decides for whom: one's own; everybody's for those who may read the record."""
    return _page(request)


@require_POST
def delegation_give(request: HttpRequest) -> HttpResponse:
    """Hand one's right over, from now on for so many hours."""
    form, now = request.POST, timezone.now()
    taker = get_object_or_404(User, pk=_number(form.get("taker")))
    begins = now + timedelta(hours=min(_number(form.get("in_hours")), HOURS_MOST))
    ends = begins + timedelta(hours=min(_number(form.get("hours")), HOURS_MOST + 1))
    scope = str(form.get("scope", ""))
    wish = Hand(
        taker, scope if scope in policies.scopes() else rights.EVERYTHING, begins, ends, str(form.get("why", ""))
    )
    try:
        delegation.give(wish, by=people.person(request), actor=people.actor(request), now=now)
    except Refused as refusal:
        return _page(request, refusal=refusal.say)
    return redirect("delegations")


@require_POST
def delegation_end(request: HttpRequest, delegation_id: int) -> HttpResponse:
    """Take it back, or give it back."""
    row = get_object_or_404(Delegation.objects.select_related("giver", "taker"), pk=delegation_id)
    try:
        delegation.end(row, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say)
    return redirect("delegations")


def _page(request: HttpRequest, *, refusal: str = "") -> HttpResponse:
    user, now = people.person(request), timezone.now()
    rows = Delegation.objects.select_related("giver", "taker", "ended_by").order_by("-ends_at")
    if not rights.may(user, "approvals.view_auditevent", rights.EVERYTHING):
        rows = rows.filter(giver=user) | rows.filter(taker=user)
    places = policies.scopes()
    shown = [(row, places.get(row.scope, row.scope), _stands(row, now)) for row in rows[:SHOWN]]
    mine = policies.scopes_for(user).items()
    context = {
        "rows": shown,
        "users": User.objects.filter(is_active=True).exclude(pk=user.pk).order_by("username"),
        "places": [it for it in mine if it[0] == rights.EVERYTHING or it[0].startswith("pool:")],
        "ends_all": rights.may(user, delegation.ENDS, rights.EVERYTHING),
        "refusal": refusal,
    }
    return render(request, "approvals/delegation_list.html", context, status=409 if refusal else 200)


def _stands(row: Delegation, now: datetime) -> str:
    """ "now", "later", "ended"."""
    if row.ended_at is not None or row.ends_at <= now:
        return "ended"
    return "later" if row.begins_at > now else "now"


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
