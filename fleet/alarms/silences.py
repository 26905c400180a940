"""Silences: begun for a time, with a reason, by who is called there. The only writer of Silence rows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.alarms.ladder import Match
from fleet.models import Gateway, Pool, Silence
from fleet.selectors import pools_with, visible_pools

RIGHT = "fleet.hold_rollout"
HOURS_MOST = 30 * 24


def standing(now: datetime) -> QuerySet[Silence]:
    """Those that hold now."""
    rows = Silence.objects.filter(ended_at=None, begins_at__lte=now, ends_at__gt=now)
    return rows.select_related("pool", "gateway", "made_by")


def matches(now: datetime) -> list[Match]:
    return [match_of(row) for row in standing(now)]


def match_of(row: Silence) -> Match:
    return Match(row.what, row.pool_id, row.rollout, row.gateway.name if row.gateway else "")


def shown_to(user: User) -> QuerySet[Silence]:
    """Those about pools that the user may look at, and those about all of them."""
    mine = visible_pools(user)
    about_fleet = Q(pool=None, gateway=None) if mine.exists() else Q(pk__in=[])
    rows = Silence.objects.filter(Q(pool__in=mine) | Q(pool=None, gateway__pool__in=mine) | about_fleet)
    return rows.select_related("pool", "gateway", "made_by", "ended_by")


def begin(match: Match, *, by: User, actor: Actor, hours: float, why: str, now: datetime) -> Silence:
    """Tell nobody of what fits for so many hours. The same again while it holds is the one that holds already."""
    pool, gateway = _named(match)
    _demand(by, pool or (gateway.pool if gateway else None))
    if match == Match():
        raise Refused("Say what it is about: a rule, a pool, a gateway or a rollout. Silence for everything is none.")
    if not 0 < hours <= HOURS_MOST:
        raise Refused(f"A silence ends: give it between one and {HOURS_MOST} hours (30 days).")
    if not why.strip():
        raise Refused("Say why: it goes on the record.")
    row = Silence(
        what=match.what, pool=pool, gateway=gateway, rollout=match.rollout, reason=why.strip()[:2000], made_by=by
    )
    row.begins_at, row.ends_at = now, now + timedelta(hours=hours)
    with transaction.atomic():
        same = Q(what=row.what, pool=pool, gateway=gateway, rollout=row.rollout)
        if (known := standing(now).filter(same).first()) is not None:
            return known
        row.save()
        about = {**asdict(match), "until": row.ends_at}
        audit.append(
            "silence.begun", subject=f"silence:{row.pk}", actor=actor, at=now, reason=row.reason, details=about
        )
    return row


def end(silence: Silence, *, by: User, actor: Actor, now: datetime) -> None:
    """End one before its time. Refused where it is over."""
    _demand(by, silence.pool or (silence.gateway.pool if silence.gateway else None))
    with transaction.atomic():
        open_one = Silence.objects.filter(pk=silence.pk, ended_at=None, ends_at__gt=now)
        if not open_one.update(ended_at=now, ended_by=by):
            raise Refused("This silence is over already.")
        audit.append("silence.ended", subject=f"silence:{silence.pk}", actor=actor, at=now)


def may(user: User, pool: Pool | None) -> bool:
    """Whether he is called there; what is about all pools wants the right on all of them."""
    if pool is not None:
        return rights.may(user, RIGHT, f"pool:{pool.pk}")
    if rights.may(user, RIGHT, rights.EVERYTHING):
        return True
    return Pool.objects.exists() and not Pool.objects.exclude(pk__in=pools_with(user, "hold_rollout")).exists()


def _demand(by: User, pool: Pool | None) -> None:
    if not may(by, pool):
        where = f"on {pool.name}" if pool else "on every pool"
        raise Refused(f"You may not silence this: you lack the right “{rights.said(RIGHT)}” {where}.")


def _named(match: Match) -> tuple[Pool | None, Gateway | None]:
    pool = Pool.objects.filter(pk=match.pool).first() if match.pool else None
    if match.pool and pool is None:
        raise Refused("There is no such pool any more.")
    gateway = Gateway.objects.select_related("pool").filter(name=match.gateway).first() if match.gateway else None
    if match.gateway and gateway is None:
        raise Refused(f"There is no gateway {match.gateway[:80]}.")
    if match.rollout is not None and pool is None:
        raise Refused("Name the rollout's pool too: who may silence it is decided there.")
    if gateway and pool and gateway.pool_id != pool.pk:
        raise Refused(f"{gateway.name} is in {gateway.pool.name}, not in {pool.name}.")
    return pool, gateway
