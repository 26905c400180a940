"""Complaints of users as a rate that verdicts compare: under the new release and under the old one, of sessions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils import timezone

from fleet.models import Ticket
from fleet.tickets import rate
from upgrader.analysis.rates import Counted
from upgrader.models import StepRun, Upgrade
from upgrader.readings import Sides

NAME = "complaints"
INTERVAL = 30  # seconds: complaints in one are one story


def sides(release: str, observed: Sequence[tuple[Upgrade, StepRun]]) -> dict[str, Sides]:
    """{"complaints": both sides since the present share was shifted}; {} where nobody complained of the new release.

    Sessions are counted only where somebody did: that costs more than all else of a look.
    """
    begun = [step.started_at for _, step in observed if step.started_at is not None]
    if not begun:
        return {}
    since, gateways = min(begun), [upgrade.gateway_id for upgrade, _ in observed]
    told = Ticket.objects.filter(gateway__in=gateways, release=release, reported_at__gte=since)
    moments = list(told.values_list("reported_at", flat=True))
    if not moments:
        return {}
    found = rate.by_release(gateways, since=since.timestamp(), until=timezone.now().timestamp())
    new = found.get(release, rate.Rate())
    old = sum((found.get(name, rate.Rate()) for name in {upgrade.from_release for upgrade, _ in observed}), rate.Rate())
    canary = Counted(tried=max(new.sessions, new.complaints), failed=new.complaints, hits=intervals(moments))
    return {NAME: Sides(canary, Counted(tried=max(old.sessions, old.complaints), failed=old.complaints))}


def intervals(moments: Iterable[datetime]) -> int:
    """In how many half minutes somebody complained."""
    return len({int(moment.timestamp()) // INTERVAL for moment in moments})
