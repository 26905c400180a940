"""One person does alone what needs two, in an emergency: with a strong proof, a reason, an alert to everybody, and a
review that another person writes. The only writer of BreakGlass rows.

It never skips what is checked besides the yes: signatures, digests, configuration, drift, freezes. What a rollout has
yet to begin waits when the review is late (policy.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from approvals import audit, persons, rights, services
from approvals.errors import Refused
from approvals.models import Actor, BreakGlass, Request, User
from approvals.policy_spec import strong_enough

RIGHT = "approvals.break_glass"
READS = "approvals.view_auditevent"
REVIEW_WITHIN = timedelta(hours=24)
STRENGTH = "second-factor"
"""The least proof that does; who has a passkey is asked for that (views)."""


@dataclass(frozen=True)
class Breaking:
    """What is done alone, as people read it, and why."""

    title: str  # "Start ocserv 1.3.0-2 in eu-west"
    link: str
    reason: str
    digest: str  # of what the person was shown


def use(request: Request, breaking: Breaking, *, by: User, actor: Actor, now: datetime) -> BreakGlass:
    """Approve an open request by one person's word. Inside the transaction of what follows from it. Refused."""
    if why := _why_not(breaking, by, actor):
        raise Refused(why)
    services.approve_alone(request, digest=breaking.digest, now=now)
    row = BreakGlass.objects.create(
        request=request,
        scope=request.scope,
        title=breaking.title[:200],
        link=breaking.link,
        by=by,
        at=now,
        reason=breaking.reason.strip()[:2000],
        strength=actor.strength,
        review_until=now + REVIEW_WITHIN,
    )
    about = {"request": request.pk, "kind": request.kind, "digest": request.digest, "glass": row.pk}
    about |= {"title": row.title, "strength": row.strength, "review_until": row.review_until}
    audit.append("glass.broken", subject=request.subject, actor=actor, at=now, reason=row.reason, details=about)
    services.tell()
    return row


def review(row: BreakGlass, *, found: str, by: User, actor: Actor, now: datetime) -> None:
    """Another person writes what he found. Refused the second time, and to who did it."""
    if why := why_not_review(row, by):
        raise Refused(why)
    if not found.strip():
        raise Refused("Write what you found: it goes on the record.")
    with transaction.atomic():
        still = BreakGlass.objects.filter(pk=row.pk, reviewed_by=None)
        if not still.update(reviewed_by=by, reviewed_at=now, found=found.strip()[:4000]):
            raise Refused("Somebody has reviewed this already.")
        about = {"request": row.request_id, "glass": row.pk, "late": now > row.review_until}
        subject, said = row.request.subject, found.strip()[:4000]
        audit.append("glass.reviewed", subject=subject, actor=actor, at=now, reason=said, details=about)
        services.tell()


def why_not_review(row: BreakGlass, by: User) -> str:
    """Why this person may not review it; "" when he may."""
    if row.reviewed_by_id is not None:
        return "Somebody has reviewed this already."
    if by.pk in persons.same([row.by_id])[row.by_id]:
        return f"{row.by.username} did this, so somebody else reviews it."
    if rights.may(by, row.request.permission, row.scope) or rights.may(by, READS, rights.EVERYTHING):
        return ""
    return f"You may not review this: it takes the right “{rights.said(row.request.permission)}” there."


def unreviewed() -> QuerySet[BreakGlass]:
    """What one person did alone and nobody has reviewed, the oldest first."""
    return BreakGlass.objects.filter(reviewed_by=None).select_related("by", "request").order_by("at")


def waiting_for(person: User) -> list[BreakGlass]:
    """What waits for this person's review."""
    return [row for row in unreviewed()[:50] if not why_not_review(row, person)]


def may_see(row: BreakGlass, person: User) -> bool:
    if row.by_id == person.pk or rights.may(person, READS, rights.EVERYTHING):
        return True
    return rights.holds(person, row.request.permission, row.scope)


def _why_not(breaking: Breaking, by: User, actor: Actor) -> str:
    if actor.kind != "person" or actor.user_id != by.pk or not by.is_active:
        return "Only a person may break the glass."
    if not rights.may(by, RIGHT, rights.EVERYTHING):
        return f"You may not do this alone: it takes the right “{rights.said(RIGHT)}”."
    if not breaking.reason.strip():
        return "Say why this can't wait for a second person: it goes on the record, and to everybody."
    if not strong_enough(actor.strength, STRENGTH):
        return "Doing this alone takes a fresh passkey or second factor. Confirm that it is you, then do it."
    return ""
