"""Complaints of users as a rate that verdicts compare: under the new release and under the old one, of sessions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from fleet.models import Ticket
from fleet.tickets import rate
from fleet.tickets.rate import Grown, Rate
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
    olds = {upgrade.from_release for upgrade, _ in observed}
    return compared(found.get(release, Rate()), sum((found.get(name, Rate()) for name in olds), Rate()), moments)


def compared(new: Rate, old: Rate, moments: Iterable[datetime]) -> dict[str, Sides]:
    canary = Counted(tried=max(new.sessions, new.complaints), failed=new.complaints, hits=intervals(moments))
    return {NAME: Sides(canary, Counted(tried=max(old.sessions, old.complaints), failed=old.complaints))}


def intervals(moments: Iterable[datetime]) -> int:
    """In how many half minutes somebody complained."""
    return len({int(moment.timestamp()) // INTERVAL for moment in moments})


@dataclass(frozen=True)
class Story:
    """The complaints of one observation that is over, for looks at it one after the other.

    `told`: (known to us, reported, release) in the order in which they became known. Nothing of the new release: {}.
    """

    new: str
    olds: Collection[str]
    told: Sequence[tuple[datetime, datetime, str]] = ()
    grown: Sequence[Grown] = field(default_factory=tuple)

    def at(self, moment: datetime) -> dict[str, Sides]:
        """What `sides` said then."""
        known = self.told[: bisect_right(self.told, moment, key=lambda one: one[0])]
        moments = [reported for _, reported, release in known if release == self.new]
        if not moments:
            return {}
        until = bisect_right(self.grown, moment.timestamp(), key=lambda one: one.at)
        sessions = {True: 0.0, False: 0.0}
        for one in self.grown[:until]:
            if one.release == self.new or one.release in self.olds:
                sessions[one.release == self.new] += one.sessions
        of_old = sum(release in self.olds for _, _, release in known)
        return compared(Rate(len(moments), sessions[True]), Rate(of_old, sessions[False]), moments)


def story(release: str, olds: Collection[str], gateways: Collection[int], period: tuple[datetime, datetime]) -> Story:
    """What is known of a past observation. Where nobody complained of the new release, no session is counted."""
    rows = Ticket.objects.filter(gateway__in=gateways, release__in=[release, *olds], reported_at__range=period)
    # A complaint counts from when it was here: a system may report late what was long ago.
    told = sorted(
        (max(*times), times[0], name) for *times, name in rows.values_list("reported_at", "received_at", "release")
    )
    if all(name != release for _, _, name in told):
        return Story(release, olds)
    since, until = (moment.timestamp() for moment in period)
    counted = rate.grown(list(gateways), since=since, until=until, now=timezone.now().timestamp())
    return Story(release, olds, told, sorted(counted, key=lambda one: one.at))
