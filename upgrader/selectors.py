"""What pages and the API read of rollouts. Reads only; every list is bounded by what the viewer may see."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.http import Http404

from approvals.models import AuditEvent, Decision, Request, User
from fleet.models import Gateway
from fleet.selectors import pools_with, visible_pools
from fleet.words import Word
from upgrader import rights
from upgrader.draw import CLOSE_UP as CLOSE_UP
from upgrader.draw import picture as picture
from upgrader.late import unanswered
from upgrader.models import Rollout, Upgrade, Wave
from upgrader.picture import Picture
from upgrader.states import ACTION_STATES, DRAINS, ROLLOUT_OVER, R, W
from upgrader.words import ASKED, ROLLOUT, WAITS

WITH = ("release", "pool", "created_by", "strategy", "request", "back_request__requested_by")
NEEDS_ME = 50


def rollouts_for(user: User) -> QuerySet[Rollout]:
    """Rollouts on pools that the user may look at, newest first, without their plans."""
    rows = Rollout.objects.filter(pool__in=visible_pools(user)).defer("plan")
    return rows.select_related(*WITH)


def rollout_for(user: User, rollout_id: int) -> Rollout:
    """Return one rollout that the user may look at, else raise Http404: he learns nothing about others."""
    rows = Rollout.objects.filter(pool__in=visible_pools(user))
    rollout = rows.select_related(*WITH).filter(pk=rollout_id).first()
    if rollout is None:
        raise Http404(f"There is no rollout {rollout_id}, or you may not see its pool.")
    return rollout


def needs_me(user: User, *, now: datetime) -> QuerySet[Rollout]:
    """Rollouts that wait for this person: to approve (not his own), to promote, to help, to decide on a drain."""
    said = Decision.objects.filter(by=user).values("request")
    open_to = Q(state=R.WAITING_APPROVAL, pool__in=rights.deciding_pools(user))
    approve = open_to & ~Q(created_by=user) & ~Q(request__in=said)
    promote = Q(state=R.WAITING_PROMOTION, pool__in=pools_with(user, "promote_rollout"))
    stuck = Q(state__in=[R.HELD, R.FAILED]) & (
        Q(pool__in=pools_with(user, "hold_rollout")) | Q(pool__in=pools_with(user, "rollback_rollout"))
    )
    own = Q(state=R.PLANNED, created_by=user)
    return rollouts_for(user).filter(approve | promote | stuck | own | _asked(user, now) | _late(user, now))


def _asked(user: User, now: datetime) -> Q:
    """Somebody else asked to roll back or to cut users, and this person may say yes or no."""
    pools = rights.deciding_pools(user)
    others = Request.objects.filter(state=Request.State.OPEN, expires_at__gt=now).exclude(requested_by=user)
    cut = Upgrade.objects.filter(cut_request__in=others, state__in=DRAINS).values("wave__rollout")
    return Q(pool__in=pools) & (Q(back_request__in=others) | Q(pk__in=cut))


def _late(user: User, now: datetime) -> Q:
    """The time of a drain is over and nobody has said what becomes of the users who are left."""
    is_open = Request.objects.filter(state=Request.State.OPEN)
    waiting = unanswered(now).exclude(cut_request__in=is_open).values("wave__rollout")
    return Q(pool__in=pools_with(user, "hold_rollout"), pk__in=waiting)


def running(user: User) -> QuerySet[Rollout]:
    """Rollouts that are not over and not merely planned."""
    return rollouts_for(user).exclude(state__in=[*ROLLOUT_OVER, R.PLANNED])


def happened(rollout: Rollout, seen: Picture, most: int = 40) -> list[AuditEvent]:
    """The newest events of a rollout, its waves and the gateways that were read in full, newest first."""
    subjects = [f"rollout:{rollout.pk}", *(f"wave:{wave.id}" for wave in seen.waves)]
    subjects += [f"upgrade:{row.id}" for row in seen.gateways if row.close]
    return list(AuditEvent.objects.filter(subject__in=subjects).order_by("-seq")[:most])


def words_of(rollouts: Iterable[Rollout], now: datetime) -> list[tuple[Rollout, Word]]:
    """Each with what a list says of it, as its own page does: what waits for a person or for room says so."""
    rows = list(rollouts)
    listed = Rollout.objects.filter(pk__in=[row.pk for row in rows])
    is_open = Request.objects.filter(state=Request.State.OPEN, expires_at__gt=now)
    cuts = Upgrade.objects.filter(cut_request__in=is_open, state__in=DRAINS).values("wave__rollout")
    late = Q(pk__in=unanswered(now).values("wave__rollout"))
    back = Q(back_request__in=is_open, state__in=ACTION_STATES["agree_back"])
    asked = set(listed.filter(back | Q(pk__in=cuts) | late).values_list("pk", flat=True))
    resting = (W.PLANNED, W.PASSED, W.ROLLED_BACK)
    at_work = set(Wave.objects.filter(rollout__in=listed).exclude(state__in=resting).values_list("rollout", flat=True))

    def word(row: Rollout) -> Word:
        if row.pk in asked:
            return ASKED
        return WAITS if row.state == R.UPGRADING and row.waits and row.pk not in at_work else ROLLOUT[R(row.state)]

    return [(row, word(row)) for row in rows]


def last_move(rollout: Rollout) -> AuditEvent | None:
    """The newest event of the rollout itself."""
    return AuditEvent.objects.filter(subject=f"rollout:{rollout.pk}").order_by("-seq").first()


def recent(user: User) -> QuerySet[Rollout]:
    """Rollouts that are over, the newest first."""
    return rollouts_for(user).filter(state__in=ROLLOUT_OVER).order_by("-since")


def fleet_summary(user: User) -> list[dict[str, Any]]:
    """Each pool that the user may see, those in trouble first: gateways, users, which release how often."""
    here = (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED)
    gateways = Gateway.objects.filter(pool__in=visible_pools(user), state__in=here)
    trouble = Count("pk", filter=~Q(state=Gateway.State.ENROLLED))
    pools = gateways.values("pool", "pool__name").annotate(number=Count("pk"), users=Sum("sessions"), trouble=trouble)
    mix: dict[int, list[tuple[str, int]]] = {}
    counted = gateways.values_list("pool", "release").annotate(number=Count("pk")).order_by("-number")
    for pool, release, number in counted:
        mix.setdefault(pool, []).append((release or "unknown", number))
    return [{**pool, "mix": mix.get(pool["pool"], [])} for pool in pools.order_by("-trouble", "pool__name")]
