"""Alerts: who was told, acknowledging, silences, and the record of deliveries."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals.errors import Refused
from approvals.people import actor, person
from fleet.alarms import contacts, notices, outbox, pages, silences
from fleet.alarms.ladder import Match
from fleet.models import Alert


@require_safe
def alert_told(request: HttpRequest, alert_id: int) -> HttpResponse:
    """One alert: on which gateways, who was told and what came of it."""
    return _told(request, pages.alert_for(person(request), alert_id))


@require_POST
def alert_acknowledge(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Say that somebody looks after it; 409 with the sentence why not."""
    alert, user = pages.alert_for(person(request), alert_id), person(request)
    say = str(request.POST.get("say", ""))
    try:
        notices.acknowledge(alert, by=user, actor=actor(request), say=say, now=timezone.now())
    except Refused as refusal:
        return _told(request, alert, refusal=refusal.say, status=409)
    return redirect("alert-told", alert_id)


def _told(request: HttpRequest, alert: Alert, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user, now = person(request), timezone.now()
    context = {**pages.told(pages.alert_for(user, alert.pk), user, now), "refusal": refusal}
    return render(request, "fleet/alert_told.html", context, status=status)


@require_safe
def silence_list(request: HttpRequest) -> HttpResponse:
    """What is silenced, and the form; ?what=&pool=&gateway=&rollout= fill it in."""
    return _silences(request, typed=request.GET)


@require_POST
def silence_begin(request: HttpRequest) -> HttpResponse:
    user, typed = person(request), request.POST
    try:
        hours = _number(typed.get("hours"), "Hours")
        rollout = _number(typed.get("rollout"), "A rollout's number") if typed.get("rollout") else None
        pool = _number(typed.get("pool"), "A pool's number") if typed.get("pool") else None
        what, gateway = str(typed.get("what", "")), str(typed.get("gateway", "")).strip()
        if what and what not in dict(pages.what_choices()):
            raise Refused("There is no such rule or kind of alert.")
        match = Match(what, pool, rollout, gateway)
        why = str(typed.get("why", ""))
        silences.begin(match, by=user, actor=actor(request), hours=hours, why=why, now=timezone.now())
    except Refused as refusal:
        return _silences(request, typed=typed, refusal=refusal.say, status=409)
    return redirect("silences")


@require_POST
def silence_end(request: HttpRequest, silence_id: int) -> HttpResponse:
    row = pages.silence_for(person(request), silence_id)
    try:
        silences.end(row, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _silences(request, typed={}, refusal=refusal.say, status=409)
    return redirect("silences")


def _silences(request: HttpRequest, *, typed: Any, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {**pages.silence_page(person(request), timezone.now()), "typed": typed, "refusal": refusal}
    return render(request, "fleet/silence_list.html", context, status=status)


@require_safe
def delivery_list(request: HttpRequest) -> HttpResponse:
    """What was sent to whom, when, and what the other side answered; ?state= and ?contact= narrow it."""
    return _deliveries(request)


@require_POST
def delivery_again(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Try once more what was given up."""
    row = get_object_or_404(pages.deliveries(person(request), {}), pk=delivery_id)
    try:
        contacts.demand(person(request))
        outbox.send_again(row, actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _deliveries(request, refusal=refusal.say, status=409)
    return redirect("deliveries")


def _deliveries(request: HttpRequest, *, refusal: str = "", status: int = 200) -> HttpResponse:
    user = person(request)
    rows = pages.deliveries(user, request.GET.dict())
    context = {
        "shown": [pages.delivery(row) for row in rows[: pages.MOST]],
        "total": rows.count(),
        "asked": request.GET,
        "states": [(state.value, word.say) for state, word in pages.DELIVERY.items()],
        "may": pages.may_change_contacts(user),
        "refusal": refusal,
    }
    part = request.headers.get("HX-Target") == "deliveries"
    template = "fleet/_delivery_rows.html" if part else "fleet/delivery_list.html"
    return render(request, template, context, status=status)


def _number(text: object, name: str) -> int:
    said = str(text or "").strip()
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise Refused(f"{name} must be a whole number; “{said[:20]}” is none.")
    return int(said)
