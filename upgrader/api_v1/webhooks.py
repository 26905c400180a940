"""Outgoing webhooks: who is told of which events, and what became of each message."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from upgrader.api_v1 import caller, finding, shapes
from upgrader.api_v1.caller import OPERATE, READ, Caller
from upgrader.api_v1.paging import Listed, Paged, page
from upgrader.api_v1.problems import Problem
from upgrader.models import WebhookDelivery, WebhookEndpoint
from upgrader.webhooks import endpoints, outbox

router = Router(tags=["webhooks"])


@router.get("/webhooks", auth=READ, response=Listed, summary="Who is told of events")
def webhook_list(request: HttpRequest, asked: Paged) -> dict[str, Any]:
    """For those who may change them."""
    return page(reached(caller.of(request)), asked, said)


@router.post("/webhooks", auth=OPERATE, summary="Tell an address of events")
def webhook_add(request: HttpRequest, body: shapes.Webhook) -> HttpResponse:
    """201 with its secret, which is shown this once."""
    who = caller.of(request)
    wanted = endpoints.Wanted(body.name, body.url, body.events, finding.place(who, body.pool))
    row, secret = endpoints.add(wanted, by=who.user, actor=who.actor, now=who.now)
    told = said(row) | {"secret": secret}
    return JsonResponse(told, status=HTTPStatus.CREATED, headers={"Cache-Control": "no-store"})


@router.post("/webhooks/{int:webhook_id}/test", auth=OPERATE, summary="Send it a test")
def webhook_test(request: HttpRequest, webhook_id: int) -> HttpResponse:
    """202 with the delivery, whose state says what came of it."""
    who = caller.of(request)
    row = endpoints.trial(seen(who, webhook_id), by=who.user, actor=who.actor, now=who.now)
    return JsonResponse(delivery_said(row), status=HTTPStatus.ACCEPTED)


@router.post("/webhooks/{int:webhook_id}/end", auth=OPERATE, summary="Tell it nothing more")
def webhook_end(request: HttpRequest, webhook_id: int) -> dict[str, Any]:
    """Its address and secret are forgotten. The second time nothing happens."""
    who = caller.of(request)
    endpoints.end(seen(who, webhook_id), by=who.user, actor=who.actor, now=who.now)
    return said(seen(who, webhook_id))


@router.get("/webhooks/{int:webhook_id}/deliveries", auth=READ, response=Listed, summary="What it was told")
def webhook_deliveries(request: HttpRequest, webhook_id: int, asked: Paged) -> dict[str, Any]:
    """Of the last month, with what the other side answered."""
    return page(WebhookDelivery.objects.filter(endpoint=seen(caller.of(request), webhook_id)), asked, delivery_said)


@router.post("/deliveries/{int:delivery_id}/again", auth=OPERATE, summary="Send one again")
def delivery_again(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """With the same webhook-id, so that the other side can know it."""
    who = caller.of(request)
    row = WebhookDelivery.objects.filter(pk=delivery_id, endpoint__in=reached(who)).first()
    if row is None:
        raise Problem(404, f"There is no delivery {delivery_id}, or you may not see it.")
    outbox.send_again(row, actor=who.actor, now=who.now)
    row.refresh_from_db()
    return JsonResponse(delivery_said(row), status=HTTPStatus.ACCEPTED)


def reached(who: Caller) -> Any:
    return who.within(endpoints.shown_to(who.user))


def seen(who: Caller, webhook_id: int) -> WebhookEndpoint:
    row: WebhookEndpoint | None = reached(who).filter(pk=webhook_id).first()
    if row is None:
        raise Problem(404, f"There is no webhook {webhook_id}, or you may not see it.")
    return row


def said(row: WebhookEndpoint) -> dict[str, Any]:
    names = ("name", "hint", "events", "made_at", "ended_at")
    told = {name: getattr(row, name) for name in names}
    return {"id": row.pk, **told, "pool": row.pool.name if row.pool else None, "by": row.made_by.username}


def delivery_said(row: WebhookDelivery) -> dict[str, Any]:
    names = ("seq", "event", "state", "attempts", "answer", "created_at", "settled_at")
    return {"id": row.pk, "webhook": row.endpoint_id, **{name: getattr(row, name) for name in names}}
