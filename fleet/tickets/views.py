"""Complaints: the list, one by hand, closing one; and the systems that report."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from approvals import rights
from approvals.errors import Refused
from approvals.people import actor, person
from fleet import selectors
from fleet.models import Gateway, TicketSource
from fleet.tickets import pages, proofs, services
from fleet.tickets.mapping import FIELDS


@require_safe
def ticket_list(request: HttpRequest) -> HttpResponse:
    """What was reported; the filters stand in the address."""
    wish = {name: str(request.GET.get(name, "")).strip()[:120] for name in pages.FILTERS}
    return _list(request, wish)


@require_POST
def ticket_report(request: HttpRequest, gateway_id: int) -> HttpResponse:
    """One complaint by hand, about one gateway."""
    gateway = get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)
    said = {name: str(request.POST.get(name, "")).strip() for name in ("user", "address", "text", "at")}
    try:
        services.report(gateway, said, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _form(request, gateway, typed=said, refusal=refusal.say, status=409)
    return redirect(f"{reverse('tickets')}?{urlencode({'gateway': gateway.name})}")


@require_safe
def ticket_form(request: HttpRequest, gateway_id: int) -> HttpResponse:
    gateway = get_object_or_404(selectors.gateways_for(person(request)), pk=gateway_id)
    return _form(request, gateway, typed={})


@require_POST
def ticket_close(request: HttpRequest, ticket_id: int) -> HttpResponse:
    ticket = get_object_or_404(pages.tickets_for(person(request)), pk=ticket_id)
    try:
        services.close(ticket, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _list(request, {}, refusal=refusal.say, status=409)
    return redirect("tickets")


@require_safe
def source_list(request: HttpRequest) -> HttpResponse:
    return _sources(request)


@require_POST
def source_add(request: HttpRequest) -> HttpResponse:
    """A system that may report; the answer shows its token, once."""
    typed = {
        name: str(request.POST.get(name, "")).strip() for name in ("name", "kind", "pool", "mapping", "proof", "why")
    }
    try:
        pool = next((one for one in selectors.visible_pools(person(request)) if str(one.pk) == typed["pool"]), None)
        if typed["pool"] and pool is None:
            raise Refused("There is no such pool, or you may not see it.")
        wish = services.Wish(typed["name"], typed["kind"], pool, typed["mapping"], typed["proof"])
        by, who = person(request), actor(request)
        source, token = services.add_source(wish, by=by, actor=who, why=typed["why"], now=timezone.now())
    except Refused as refusal:
        return _sources(request, typed=typed, refusal=refusal.say, status=409)
    return _sources(request, fresh=source, token=token, status=201)


@require_POST
def source_renew(request: HttpRequest, source_id: int) -> HttpResponse:
    """Another token or secret for it; the answer shows it, once."""
    source = get_object_or_404(pages.sources_for(person(request)), pk=source_id)
    typed = {name: str(request.POST.get(name, "")).strip() for name in ("hours", "seen", "why")}
    hours = int(typed["hours"]) if typed["hours"] in map(str, proofs.HOURS) else -1
    wish = services.Renewal(hours, typed["seen"], typed["why"])
    try:
        by, who = person(request), actor(request)
        token = services.renew_source(source, wish, by=by, actor=who, now=timezone.now())
    except Refused as refusal:
        return _sources(request, refusal=refusal.say, status=409)
    return _sources(request, fresh=source, token=token, status=201)


@require_POST
def source_end(request: HttpRequest, source_id: int) -> HttpResponse:
    source = get_object_or_404(pages.sources_for(person(request)), pk=source_id)
    why = str(request.POST.get("why", "")).strip()
    try:
        services.end_source(source, by=person(request), actor=actor(request), why=why, now=timezone.now())
    except Refused as refusal:
        return _sources(request, refusal=refusal.say, status=409)
    return redirect("ticket-sources")


def _list(request: HttpRequest, wish: dict[str, str], *, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {**pages.ticket_list(person(request), wish, timezone.now()), "refusal": refusal}
    return render(request, "fleet/ticket_list.html", context, status=status)


def _form(
    request: HttpRequest, gateway: Gateway, *, typed: dict[str, str], refusal: str = "", status: int = 200
) -> HttpResponse:
    may = services.may_report(person(request), gateway.pool_id)
    context = {"gateway": gateway, "typed": typed, "refusal": refusal, "may_report": may}
    return render(request, "fleet/ticket_report.html", context, status=status)


def _sources(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user = person(request)
    context = {
        "sources": [{"row": row, "version": proofs.version(row)} for row in pages.sources_for(user)],
        "proofs": TicketSource.Proof.choices,
        "hours": proofs.HOURS,
        "now": timezone.now(),
        "pools": services.pools_of(user),
        "everywhere": rights.may(user, f"fleet.{services.RIGHT}", rights.EVERYTHING),
        "fields": FIELDS,
        "typed": {},
        "host": request.get_host(),
        **more,
    }
    return render(request, "fleet/ticket_sources.html", context, status=status)
