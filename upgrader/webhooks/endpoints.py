"""Whom events are told: added, tried and ended. The only writer of WebhookEndpoint but for `after`."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from approvals import audit, rights, signed_webhook
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, User
from fleet import sealed
from fleet.alarms import hooks
from fleet.alarms.addresses import LONGEST, BadAddress, allowed_networks, why_not
from fleet.models import Pool
from fleet.selectors import visible_pools
from upgrader.models import WebhookDelivery, WebhookEndpoint
from upgrader.webhooks.events import EVENTS, TEST, test_body

RIGHT = "fleet.change_contact"
NAME_MOST = 60


@dataclass(frozen=True)
class Wanted:
    """An endpoint as a person wants it. `pool` None: events of all pools, and those of none."""

    name: str
    url: str
    events: Sequence[str]
    pool: Pool | None


def url_name(row: WebhookEndpoint) -> str:
    return f"webhook:{row.pk}"


def secret_name(row: WebhookEndpoint) -> str:
    return f"webhook:{row.pk}:secret"


def may(user: User) -> bool:
    return rights.may(user, RIGHT, rights.EVERYTHING)


def shown_to(user: User) -> QuerySet[WebhookEndpoint]:
    """For those who may change them: of pools that they see, and of all pools."""
    if not may(user):
        return WebhookEndpoint.objects.none()
    rows = WebhookEndpoint.objects.filter(Q(pool=None) | Q(pool__in=visible_pools(user)))
    return rows.select_related("pool", "made_by")


def add(wanted: Wanted, *, by: User, actor: Actor, now: datetime) -> tuple[WebhookEndpoint, str]:
    """Return the endpoint and its secret, which is shown this once. It hears what happens from now on."""
    demand(by)
    hint = checked(wanted)
    secret = signed_webhook.secret_of(secrets.token_bytes(signed_webhook.KEY_BYTES))
    last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    events = [name for name in EVENTS if name in wanted.events]
    try:
        with transaction.atomic():
            row = WebhookEndpoint.objects.create(
                name=wanted.name, hint=hint, events=events, pool=wanted.pool, after=last, made_by=by, made_at=now
            )
            sealed.seal(url_name(row), wanted.url.encode(), now=now)
            sealed.seal(secret_name(row), secret.encode(), now=now)
            about = {"name": row.name, "hint": hint, "events": events, "pool": row.pool.name if row.pool else ""}
            audit.append("webhook.added", subject=f"webhook:{row.pk}", actor=actor, at=now, details=about)
    except IntegrityError:
        raise Refused(f"There is a webhook {wanted.name} already. End it first, or take another name.") from None
    return row, secret


def end(row: WebhookEndpoint, *, by: User, actor: Actor, now: datetime) -> bool:
    """Tell it nothing more, and forget its address and secret. False the second time."""
    demand(by)
    with transaction.atomic():
        if not WebhookEndpoint.objects.filter(pk=row.pk, ended_at=None).update(ended_at=now):
            return False
        for name in (url_name(row), secret_name(row)):
            sealed.drop(name)
        audit.append("webhook.ended", subject=f"webhook:{row.pk}", actor=actor, at=now, details={"name": row.name})
        return True


def trial(row: WebhookEndpoint, *, by: User, actor: Actor, now: datetime) -> WebhookDelivery:
    """Send a test; one that is on its way already is the answer to a second ask."""
    demand(by)
    if row.ended_at is not None:
        raise Refused(f"{row.name} was ended.")
    with transaction.atomic():
        WebhookEndpoint.objects.select_for_update().get(pk=row.pk)
        tests = row.deliveries.filter(event=TEST)
        open_states = (WebhookDelivery.State.DUE, WebhookDelivery.State.CLAIMED)
        if (waiting := tests.filter(state__in=open_states).first()) is not None:
            return waiting
        body = test_body(row.name, now)
        made = row.deliveries.create(seq=-tests.count(), event=TEST, body=body, due_at=now, created_at=now)
        audit.append("webhook.tried", subject=f"webhook:{row.pk}", actor=actor, at=now, details={"name": row.name})
        return made


def demand(by: User) -> None:
    if not may(by):
        raise Refused(f"You may not change who is told of events: you lack the right “{rights.said(RIGHT)}”.")


def checked(wanted: Wanted) -> str:
    """What may be shown of the address. Refused with what is wrong; the guard sits on the connection all the same."""
    if not wanted.name or len(wanted.name) > NAME_MOST or not wanted.name.isprintable():
        raise Refused(f"Give it a name of at most {NAME_MOST} characters.")
    if unknown := [name for name in wanted.events if name not in EVENTS]:
        raise Refused(f"There is no event {unknown[0][:60]}. Choose among {', '.join(EVENTS)}.")
    if not wanted.events:
        raise Refused("Choose at least one event.")
    url = wanted.url
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or " " in url or not url.startswith("http"):
        raise Refused(f"The address is https://HOST/PATH, of at most {LONGEST} characters.")
    try:
        hooks.target(url)
        host = urlsplit(url).hostname or ""
        # A name is looked up when it is spoken to, and judged then; an address can be judged now.
        is_address = host.replace(".", "").isdigit() or ":" in host
        if is_address and (say := why_not(host, allowed_networks(settings.ALERTS_TO))):
            raise Refused(say)
    except BadAddress as wrong:
        raise Refused(wrong.say) from None
    return host[:120]
