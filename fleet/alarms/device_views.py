"""Alerts on the device in one's hand: turned on and off by who holds it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet.alarms import devices, pages
from fleet.models import Contact


@require_safe
def device_page(request: HttpRequest) -> HttpResponse:
    """Whether this browser takes alerts, and which others of the person's do."""
    return _page(request)


@require_POST
def device_on(request: HttpRequest) -> HttpResponse:
    """Take alerts from now on; 409 with the sentence where that can't be."""
    said = {name: request.POST.get(name, "") for name in ("subscription", "name", "severity")}
    by, who, now = person(request), actor(request), timezone.now()
    try:
        devices.turn_on(said["subscription"], said["name"], severity=said["severity"], by=by, actor=who, now=now)
    except Refused as refusal:
        return _page(request, refusal=refusal.say, typed=said, status=409)
    return redirect("device")


@require_POST
def device_off(request: HttpRequest, contact_id: int) -> HttpResponse:
    """Take none any more; only one's own."""
    row = get_object_or_404(Contact, pk=contact_id, kind=devices.KIND, person=person(request))
    devices.turn_off(row, actor=actor(request), now=timezone.now())
    return redirect("device")


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    rows = devices.of(person(request))
    last = [row.deliveries.order_by("-created_at").first() for row in rows]
    shown = [{"row": row, "last": pages.delivery(one) if one else None} for row, one in zip(rows, last, strict=True)]
    context = {"shown": shown, "key": devices.public_key(now=timezone.now())} | more
    return render(request, "fleet/device_page.html", context, status=status)
