"""Drains whose time is over: of old slots, and of whole gateways at the balancer in front. Reads only."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from approvals.models import Request
from upgrader.flow import OUTGOING
from upgrader.models import StepRun, Upgrade
from upgrader.states import DRAINS, S, U

STEPS = ("drain", "retire", "drain_front")


def late(now: datetime) -> QuerySet[Upgrade]:
    """Upgrades that have waited for users to go for as long as was agreed."""
    # A gateway of the pool that served is left as it is when its time is over.
    return Upgrade.objects.filter(state__in=DRAINS, drain_until__lte=now).exclude(way=OUTGOING)


def unanswered(now: datetime) -> QuerySet[Upgrade]:
    """Those of them about which nobody has agreed on a number of users who may be cut."""
    # At the balancer in front a number stands in the plan; beyond that one people agree, as everywhere.
    in_front = Q(state=U.UPGRADING) & ~Q(cut_request__state=Request.State.APPROVED)
    return late(now).filter(Q(state=U.DRAINING, cut_at_most=0) | in_front)


def open_steps() -> QuerySet[StepRun]:
    """The steps that wait for users to go, with what they counted last."""
    return StepRun.objects.filter(name__in=STEPS, state__in=[S.DUE, S.CLAIMED])
