"""The page on which another person reviews what was done alone."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import breakglass, people, persons, rights
from approvals.errors import Refused
from approvals.models import BreakGlass
from approvals.selectors import events_about


@require_safe
def glass_page(request: HttpRequest, glass_id: int) -> HttpResponse:
    """What was done alone, why, and what came of it."""
    return _page(request, _row(request, glass_id))


@require_POST
def glass_review(request: HttpRequest, glass_id: int) -> HttpResponse:
    """Write what was found; that closes it."""
    row, found = _row(request, glass_id), str(request.POST.get("found", ""))
    try:
        breakglass.review(row, found=found, by=people.person(request), actor=people.actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, row, refusal=refusal.say, typed=found)
    return redirect("glass", glass_id)


def _row(request: HttpRequest, glass_id: int) -> BreakGlass:
    rows = BreakGlass.objects.select_related("by", "request__requested_by", "reviewed_by")
    row = rows.filter(pk=glass_id).first()
    if row is None or not breakglass.may_see(row, people.person(request)):
        raise Http404(f"There is no review {glass_id}, or you may not see it.")
    return row


def _page(request: HttpRequest, row: BreakGlass, *, refusal: str = "", typed: str = "") -> HttpResponse:
    user, now = people.person(request), timezone.now()
    context = {
        "row": row,
        "late": row.reviewed_at is None and now >= row.review_until,
        "now": now,
        "why_not": breakglass.why_not_review(row, user),
        "own": user.pk in persons.same([row.by_id])[row.by_id],
        "where": rights.named(row.scope),
        "told": events_about(row.request),
        "refusal": refusal,
        "typed": typed,
    }
    return render(request, "approvals/glass_page.html", context, status=409 if refusal else 200)
