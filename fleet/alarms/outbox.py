"""Deliveries: claimed by lease, sent outside of any transaction, settled once. The only writer of their states.

A worker that dies between the other side's yes and ours makes a message come twice, and never none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor
from fleet import alerts, sealed
from fleet.alarms import devices, post, signing
from fleet.alarms.addresses import BadAddress
from fleet.alarms.message import message
from fleet.alarms.post import Letter
from fleet.alerts import Call
from fleet.errors import GiveUp, RetryLater
from fleet.models import Contact, Credential, Delivery

log = logging.getLogger(__name__)
State, What = Delivery.State, Delivery.What
MACHINE = Actor.machine("alerts")
RETRY_SECONDS = (5, 15, 60, 120, 300, 600)
TRIES = 24  # the last ones each 10 min: three and a half hours in all
LEASE_SECONDS = post.SECONDS + 30
AT_ONCE = 20
DEAD = "contact"  # kind of the alert about a contact that takes no messages
POSTED = {signing.KIND: signing.hook, devices.KIND: devices.hook}
"""Kinds whose message we post ourselves."""
Sender = Callable[[Letter], str]
Clock = Callable[[], datetime]


def due(now: datetime) -> list[int]:
    """What is to be sent now, and what a worker that has ended had in hand."""
    rows = _open(now).order_by("due_at")
    return list(rows.values_list("pk", flat=True)[:AT_ONCE])


def run(delivery_id: int, *, clock: Clock, sender: Sender = post.send) -> Delivery | None:
    """Claim one, send it and settle it; None where there was nothing to do."""
    delivery = claim(delivery_id, now=clock())
    if delivery is None:
        return None
    if why := _in_vain(delivery):
        return _settle(delivery, State.DROPPED, why, now=clock())
    try:
        url = sealed.unseal(signing.seal_name(delivery.contact)).decode()
    except (Credential.DoesNotExist, sealed.Unreadable) as shut:
        return _settle(delivery, State.FAILED, f"Its address can't be read: {shut}", now=clock())
    told = message(delivery, now=clock())
    Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(said=told.text)
    try:
        make = POSTED.get(delivery.contact.kind)
        hook = make(delivery, url, told, now=clock()) if make else None
        answer = sender(Letter(url, told, signing.id_of(delivery), hook))
    except (BadAddress, sealed.Unreadable) as shut:
        return _settle(delivery, State.FAILED, f"It can't be signed or sent: {shut}", now=clock())
    except GiveUp as refused:
        if delivery.contact.kind == devices.KIND and refused.code == post.GONE:
            devices.turn_off(delivery.contact, actor=MACHINE, why="The browser takes no more messages.", now=clock())
        return _settle(delivery, State.FAILED, refused.say, now=clock())
    except RetryLater as late:
        return _again(delivery, late.say, now=clock())
    return _settle(delivery, State.SENT, answer, now=clock())


def claim(delivery_id: int, *, now: datetime) -> Delivery | None:
    """Take one, if nobody else has it."""
    seen = _open(now).filter(pk=delivery_id).first()
    if seen is None:
        return None
    taken = Delivery.objects.filter(pk=seen.pk, state=seen.state, attempts=seen.attempts).update(
        state=State.CLAIMED, attempts=seen.attempts + 1, lease_until=now + timedelta(seconds=LEASE_SECONDS)
    )
    if not taken:
        return None
    return Delivery.objects.select_related("alert__gateway", "contact").get(pk=delivery_id)


def send_again(delivery: Delivery, *, actor: Actor, now: datetime) -> None:
    """Try once more what was given up. Refused where it was not."""
    with transaction.atomic():
        failed = Delivery.objects.filter(pk=delivery.pk, state=State.FAILED)
        if not failed.update(state=State.DUE, due_at=now, attempts=0, settled_at=None):
            raise Refused("Only what failed can be sent again.")
        about = {"delivery": delivery.pk, "contact": delivery.contact.name}
        audit.append("delivery.again", subject=f"contact:{delivery.contact_id}", actor=actor, at=now, details=about)


def dead(now: datetime) -> int:
    """An alert for each contact whose last message could not be brought; return how many opened or ended."""
    calls = []
    for contact in Contact.objects.filter(retired_at=None).select_related("pool"):
        ended = contact.deliveries.filter(state__in=[State.SENT, State.FAILED]).order_by("-settled_at")
        last = ended.first()
        if last is not None and last.state == State.FAILED and last.what != What.TEST:
            calls.append(_call(contact, last))
    return alerts.settle(calls, now=now, kinds=[DEAD], over="It takes messages again, or is no contact any more.")


def _call(contact: Contact, last: Delivery) -> Call:
    say = f"The last message to {contact.name} was given up after {last.attempts} tries. {last.answer}"
    return Call(
        kind=DEAD,
        subject=f"contact:{contact.pk}",
        about=f"Nobody is reached by {contact.name}",
        say=say.strip(),
        link=f"/alerts/deliveries/?contact={contact.pk}",
        pool=contact.pool,
    )


def _open(now: datetime) -> QuerySet[Delivery]:
    waiting = Q(state=State.DUE, due_at__lte=now)
    return Delivery.objects.filter(waiting | Q(state=State.CLAIMED, lease_until__lt=now))


def _in_vain(delivery: Delivery) -> str:
    if delivery.contact.retired_at is not None:
        return "Its contact was retired."
    alert = delivery.alert
    if delivery.what != What.OPENED or alert is None:
        return ""
    return "The alert ended before it could be sent." if alert.ended_at is not None else ""


def _again(delivery: Delivery, say: str, *, now: datetime) -> Delivery | None:
    """Wait for the next try; after the last one, or where a person waits for a test, it has failed."""
    if delivery.attempts >= TRIES or delivery.what == What.TEST:
        return _settle(delivery, State.FAILED, say, now=now)
    seconds = RETRY_SECONDS[min(delivery.attempts, len(RETRY_SECONDS)) - 1]
    mine = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, attempts=delivery.attempts)
    mine.update(state=State.DUE, due_at=now + timedelta(seconds=seconds), answer=say[:2000], lease_until=None)
    delivery.refresh_from_db()
    return delivery


VERBS = {State.SENT: "delivery.sent", State.FAILED: "delivery.failed", State.DROPPED: "delivery.dropped"}


def _settle(delivery: Delivery, state: Delivery.State, answer: str, *, now: datetime) -> Delivery | None:
    """Write how it ended, if the claim is still ours."""
    with transaction.atomic():
        mine = Delivery.objects.filter(pk=delivery.pk, state=State.CLAIMED, attempts=delivery.attempts)
        said = {"state": state, "answer": answer[:2000], "settled_at": now, "lease_until": None}
        if not mine.update(**said):
            return None
        about = {"delivery": delivery.pk, "alert": delivery.alert_id, "contact": delivery.contact.name}
        about |= {"what": delivery.what, "turn": delivery.turn, "tries": delivery.attempts}
        subject = f"contact:{delivery.contact_id}"
        audit.append(VERBS[state], subject=subject, actor=MACHINE, at=now, reason=answer[:500], details=about)
    delivery.refresh_from_db()
    return delivery
