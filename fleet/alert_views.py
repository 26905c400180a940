"""Alerts: the list, one of them, and the two things that may be done about it."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import rights
from approvals.errors import Refused
from approvals.people import actor, person
from fleet import alert_pages, call_pages, errands, remedies, selectors
from fleet.alarms import notices
from fleet.alarms import silences as standing_silences
from fleet.models import Alert, Errand

ENDED_MOST = 50


@require_safe
def alert_list(request: HttpRequest) -> HttpResponse:
    """Open ones first, the oldest first; then those that ended last."""
    user = person(request)
    mine = alert_pages.alerts_for(user)
    standing = mine.filter(ended_at=None)
    called = call_pages.calls_for(user).filter(ended_at=None).order_by("since")
    silent = standing_silences.matches(timezone.now())
    context = {
        "quiet": {alert.pk for alert in [*called, *standing] if notices.is_quiet(alert, silent)},
        "calls": call_pages.views(called[: alert_pages.MOST], user),
        "standing": alert_pages.rows(standing.order_by("since")[: alert_pages.MOST], user),
        "over": alert_pages.over_for(user)[:ENDED_MOST],
        "total": standing.count(),
    }
    part = request.headers.get("HX-Target") == "alerts"
    return render(request, "fleet/_alert_rows.html" if part else "fleet/alert_list.html", context)


@require_safe
def alert_page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """One alert: what differs, who was there, what may be done. A call leads to the page where it is decided."""
    if call := alert_pages.call_for(person(request), alert_id):
        return redirect(call.link or reverse("alert-told", args=[call.pk]))
    return _page(request, alert_pages.alert_for(person(request), alert_id))


@require_POST
def alert_act(request: HttpRequest, alert_id: int, action: str) -> HttpResponse:
    """Ask to adopt it, or put it back; the sentence why not otherwise (409; 422: the reason is missing)."""
    if action not in ("adopt", "put-back"):
        raise Http404(f"There is no action {action}.")
    alert = alert_pages.alert_for(person(request), alert_id)
    why = str(request.POST.get("reason", "")).strip()[:2000]
    if not why:
        return _page(request, alert, refusal="Say why: it goes on the record.", status=422)
    by, who, now = person(request), actor(request), timezone.now()
    try:
        if action == "adopt":
            return _to(request, "change", remedies.adopt(alert, by=by, actor=who, why=why, now=now).pk)
        remedies.put_back(alert, by=by, actor=who, why=why, now=now)
    except Refused as refusal:
        return _page(request, alert, refusal=refusal.say, typed=why, status=409)
    return _page(request, alert) if _is_part(request) else redirect("alert", alert_id)


@require_POST
def errand_again(request: HttpRequest, errand_id: int) -> HttpResponse:
    """Ask a gateway once more for what it refused."""
    mine = selectors.gateways_for(person(request))
    errand = get_object_or_404(Errand.objects.select_related("gateway__pool"), pk=errand_id, gateway__in=mine)
    if not rights.may(person(request), remedies.RIGHT, f"pool:{errand.gateway.pool_id}"):
        say = f"You may not ask {errand.gateway.name} again: you lack the right {remedies.RIGHT} on its pool."
        return render(request, "fleet/errand_refused.html", {"errand": errand, "refusal": say}, status=409)
    try:
        errands.again(errand, actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return render(request, "fleet/errand_refused.html", {"errand": errand, "refusal": refusal.say}, status=409)
    return redirect("gateway", errand.gateway_id)


def _to(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    there = redirect(name, pk)
    return HttpResponse(status=204, headers={"HX-Redirect": there.url}) if _is_part(request) else there


def _page(request: HttpRequest, alert: Alert, *, refusal: str = "", typed: str = "", status: int = 200) -> HttpResponse:
    alert.refresh_from_db()
    view = alert_pages.view_of(alert, person(request))
    context = {"view": view, "alert": alert, "refusal": refusal, "typed": typed}
    template = "fleet/_alert_now.html" if _is_part(request) else "fleet/alert_page.html"
    return render(request, template, context, status=status)


def _is_part(request: HttpRequest) -> bool:
    return request.headers.get("HX-Target") == "alert"
