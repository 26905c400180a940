"""Deliveries of webhooks: made from the record, claimed by lease, sent outside of any transaction, settled once.

The only writer of WebhookDelivery's states and of WebhookEndpoint.after. A worker that dies between the other side's
yes and ours makes a message come twice, with the same webhook-id, and never none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from approvals import audit, signed_webhook
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent
from fleet import sealed
from fleet.alarms import hooks, post
from fleet.alarms.addresses import BadAddress
from fleet.alarms.hooks import Hook
from fleet.errors import GiveUp, RetryLater
from fleet.models import Credential, Gateway
from upgrader.models import Rollout, WebhookDelivery, WebhookEndpoint
from upgrader.webhooks import endpoints
from upgrader.webhooks.events import VERBS, body_of, name_of

State = WebhookDelivery.State
RETRY_SECONDS = (5, 30, 120, 600, 1800, 3600)
TRIES = 30  # the last ones each hour: about a day in all
LEASE_SECONDS = post.SECONDS + 30
AT_ONCE = 20
READ_AT_ONCE = 500  # events of one endpoint
KEEP = timedelta(days=30)  # of the log
Sender = Callable[[Hook], str]
Clock = Callable[[], datetime]


def sweep(now: datetime) -> int:
    """Make every delivery that the record asks for since each endpoint was last looked at; return how many."""
    rows = WebhookEndpoint.objects.filter(ended_at=None)
    return sum(catch_up(row, now=now) for row in rows)


def catch_up(endpoint: WebhookEndpoint, *, now: datetime) -> int:
    """The deliveries of one endpoint. A second worker at the same moment makes none."""
    later = AuditEvent.objects.filter(seq__gt=endpoint.after)
    last = later.order_by("-seq").values_list("seq", flat=True).first()
    if last is None:
        return 0
    found = list(later.filter(seq__lte=last, verb__in=VERBS).order_by("seq")[:READ_AT_ONCE])
    upto = found[-1].seq if len(found) == READ_AT_ONCE else last
    made = [one for event in found if (one := delivery(endpoint, event, now=now))]
    with transaction.atomic():
        mine = WebhookEndpoint.objects.filter(pk=endpoint.pk, after=endpoint.after, ended_at=None)
        if not mine.update(after=upto):
            return 0
        WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def delivery(endpoint: WebhookEndpoint, event: AuditEvent, *, now: datetime) -> WebhookDelivery | None:
    """What this endpoint is told of this event; None where it wants nothing of it."""
    body: dict[str, Any] = json.loads(event.body)
    name = name_of(event.verb, body.get("details", {}))
    if name not in endpoint.events:
        return None
    if endpoint.pool_id is not None and pool_of(event.subject, body.get("details", {})) != endpoint.pool_id:
        return None
    told = body_of(name, body, page=page_of(event.subject))
    return WebhookDelivery(endpoint=endpoint, seq=event.seq, event=name, body=told, due_at=now, created_at=now)


def pool_of(subject: str, details: dict[str, Any]) -> int | None:
    """Whose pool's people an event concerns; None for what is everybody's."""
    scope = str(details.get("scope", ""))
    if scope.startswith("pool:") and scope[5:].isdecimal():
        return int(scope[5:])
    kind, _, number = subject.partition(":")
    if kind == "pool" and number.isdecimal():
        return int(number)
    model = {"rollout": Rollout, "gateway": Gateway}.get(kind)
    if model is None or not number.isdecimal():
        return None
    return model._default_manager.filter(pk=int(number)).values_list("pool", flat=True).first()


def page_of(subject: str) -> str:
    """Where people look at it."""
    kind, _, number = subject.partition(":")
    known = kind in ("rollout", "gateway", "release") and number.isdecimal()
    return f"{settings.PUBLIC_URL}/{kind}s/{number}/" if known else f"{settings.PUBLIC_URL}/changes/"


def due(now: datetime) -> list[int]:
    """What is to be sent now, and what a worker that has ended had in hand."""
    return list(_open(now).order_by("due_at").values_list("pk", flat=True)[:AT_ONCE])


def run(delivery_id: int, *, clock: Clock, sender: Sender = post.send_hook) -> WebhookDelivery | None:
    """Claim one, send it and settle it; None where there was nothing to do."""
    row = claim(delivery_id, now=clock())
    if row is None:
        return None
    if row.endpoint.ended_at is not None:
        return _settle(row, State.DROPPED, "Its endpoint was ended.", now=clock())
    try:
        hook = signed(row, now=clock())
    except (Credential.DoesNotExist, sealed.Unreadable, BadAddress) as shut:
        return _settle(row, State.FAILED, f"Its address or secret can't be read: {shut}", now=clock())
    try:
        answer = sender(hook)
    except GiveUp as refused:
        return _settle(row, State.FAILED, refused.say, now=clock())
    except RetryLater as late:
        return _again(row, late.say, now=clock())
    return _settle(row, State.SENT, answer, now=clock())


def signed(row: WebhookDelivery, *, now: datetime) -> Hook:
    """The message as it goes out now; its id is the same for each try."""
    where, extra = hooks.target(sealed.unseal(endpoints.url_name(row.endpoint)).decode())
    secret = sealed.unseal(endpoints.secret_name(row.endpoint)).decode()
    headers = signed_webhook.headers([secret], f"event-{row.pk}", int(now.timestamp()), row.body.encode())
    return Hook(where, row.body, {**extra, **headers})


def claim(delivery_id: int, *, now: datetime) -> WebhookDelivery | None:
    """Take one, if nobody else has it."""
    seen = _open(now).filter(pk=delivery_id).first()
    if seen is None:
        return None
    lease = now + timedelta(seconds=LEASE_SECONDS)
    mine = WebhookDelivery.objects.filter(pk=seen.pk, state=seen.state, attempts=seen.attempts)
    if not mine.update(state=State.CLAIMED, attempts=seen.attempts + 1, lease_until=lease):
        return None
    return WebhookDelivery.objects.select_related("endpoint").get(pk=delivery_id)


def send_again(row: WebhookDelivery, *, actor: Actor, now: datetime) -> None:
    """Send once more what was sent or given up, with the same id. Refused while it is on its way."""
    with transaction.atomic():
        over = WebhookDelivery.objects.filter(pk=row.pk, state__in=[State.SENT, State.FAILED], endpoint__ended_at=None)
        if not over.update(state=State.DUE, due_at=now, attempts=0, settled_at=None):
            raise Refused("Only what was sent or given up can be sent again, while its endpoint is told of events.")
        about = {"delivery": row.pk, "event": row.event}
        audit.append("webhook.again", subject=f"webhook:{row.endpoint_id}", actor=actor, at=now, details=about)


def forget(now: datetime) -> None:
    """The log goes back a month."""
    WebhookDelivery.objects.filter(settled_at__lt=now - KEEP).delete()


def _open(now: datetime) -> QuerySet[WebhookDelivery]:
    late = Q(state=State.CLAIMED, lease_until__lt=now)
    return WebhookDelivery.objects.filter(Q(state=State.DUE, due_at__lte=now) | late)


def _again(row: WebhookDelivery, say: str, *, now: datetime) -> WebhookDelivery | None:
    if row.attempts >= TRIES:
        return _settle(row, State.FAILED, say, now=now)
    seconds = RETRY_SECONDS[min(row.attempts, len(RETRY_SECONDS)) - 1]
    mine = WebhookDelivery.objects.filter(pk=row.pk, state=State.CLAIMED, attempts=row.attempts)
    mine.update(state=State.DUE, due_at=now + timedelta(seconds=seconds), answer=say[:2000], lease_until=None)
    row.refresh_from_db()
    return row


def _settle(row: WebhookDelivery, state: str, answer: str, *, now: datetime) -> WebhookDelivery | None:
    """Write how it ended, if the claim is still ours. The log is the record of it: events about events would never
    end."""
    mine = WebhookDelivery.objects.filter(pk=row.pk, state=State.CLAIMED, attempts=row.attempts)
    if not mine.update(state=state, answer=answer[:2000], settled_at=now, lease_until=None):
        return None
    row.refresh_from_db()
    return row
