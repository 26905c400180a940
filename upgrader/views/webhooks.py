"""The page of outgoing webhooks: who is told of which events, what came of each message."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from approvals import rights
from approvals.errors import Refused
from approvals.people import actor, person
from fleet.selectors import visible_pools
from fleet.words import Word
from upgrader.models import WebhookDelivery, WebhookEndpoint
from upgrader.webhooks import endpoints, outbox
from upgrader.webhooks.events import EVENTS

NEWEST = 50  # deliveries on the page
State = WebhookDelivery.State
WORDS = {
    State.DUE: Word("Waits", "waiting", "hourglass"),
    State.CLAIMED: Word("Being sent", "running", "play"),
    State.SENT: Word("Sent", "done", "circle-check"),
    State.FAILED: Word("Not brought", "failed", "circle-x"),
    State.DROPPED: Word("Dropped", "planned", "circle-dashed"),
}


@require_safe
def webhook_list(request: HttpRequest) -> HttpResponse:
    """Endpoints that stand, and their newest deliveries."""
    return _page(request)


@require_POST
@never_cache
def webhook_add(request: HttpRequest) -> HttpResponse:
    """Tell an address of events; its secret is shown this once."""
    said = request.POST
    try:
        wanted = endpoints.Wanted(
            name=str(said.get("name", "")).strip(),
            url=str(said.get("url", "")).strip(),
            events=said.getlist("event"),
            pool=_pool(request),
        )
        made, secret = endpoints.add(wanted, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, typed=said, ticked=said.getlist("event"), status=409)
    return _page(request, made=made, secret=secret)


@require_POST
def webhook_test(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Send it a test; the page shows what came of it."""
    row = _row(request, webhook_id)
    try:
        endpoints.trial(row, by=person(request), actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("webhooks")


@require_POST
def webhook_end(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """Tell it nothing more."""
    endpoints.end(_row(request, webhook_id), by=person(request), actor=actor(request), now=timezone.now())
    return redirect("webhooks")


@require_POST
def webhook_again(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Send one again, with the same id."""
    mine = endpoints.shown_to(person(request))
    row = get_object_or_404(WebhookDelivery, pk=delivery_id, endpoint__in=mine)
    try:
        outbox.send_again(row, actor=actor(request), now=timezone.now())
    except Refused as refusal:
        return _page(request, refusal=refusal.say, status=409)
    return redirect("webhooks")


def _row(request: HttpRequest, webhook_id: int) -> WebhookEndpoint:
    return get_object_or_404(endpoints.shown_to(person(request)), pk=webhook_id)


def _pool(request: HttpRequest) -> Any:
    text = str(request.POST.get("pool", ""))
    pool = visible_pools(person(request)).filter(pk=int(text)).first() if text.isdecimal() and len(text) < 10 else None
    if text and pool is None:
        raise Refused("There is no such pool, or you may not see it.")
    return pool


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user = person(request)
    mine = endpoints.shown_to(user)
    told = WebhookDelivery.objects.filter(endpoint__in=mine).select_related("endpoint")[:NEWEST]
    context = {
        "rows": mine.filter(ended_at=None),
        "deliveries": [{"row": row, "word": WORDS[State(row.state)], "over": row.settled_at} for row in told],
        "may": endpoints.may(user),
        "right": rights.said(endpoints.RIGHT),
        "events": EVENTS,
        "pools": visible_pools(user),
        **more,
    }
    return render(request, "upgrader/webhook_list.html", context, status=status)
