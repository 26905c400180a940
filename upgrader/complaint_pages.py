"""What a rollout's and a release's page show of complaints. Reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet

from approvals.models import User
from fleet.models import Ticket
from fleet.phrases import count
from fleet.tickets import pages, rate, services
from fleet.tickets.rate import Rate
from releases.models import Release
from upgrader import cuts
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import ROLLOUT_OVER

AFTER = timedelta(hours=24)  # of its end complaints are still a rollout's
SHOWN = 5
GATEWAYS_MOST = 200  # of a wave, whose sessions are counted; more are not collected from either
LINES_MOST = 12
NAMES_MOST = 200  # gateways to choose from in the form
DAYS = 90
TICKETS_MOST = 1000
ROLLOUTS_SHOWN = 5


@dataclass(frozen=True)
class Line:
    """Complaints under the new release and the old one: of a wave, or of one of its gateways."""

    name: str
    new: Rate = field(default_factory=Rate)
    old: Rate = field(default_factory=Rate)
    gateway: int = 0  # its id; 0: the line of a wave


def period(rollout: Rollout, now: datetime) -> tuple[datetime, datetime] | None:
    """From its first step to a day after its end; None while nothing has begun."""
    begun = StepRun.objects.filter(upgrade__wave__rollout=rollout).aggregate(first=Min("started_at"))["first"]
    if begun is None:
        return None
    return begun, min(now, rollout.since + AFTER) if rollout.state in ROLLOUT_OVER else now


def tickets_of(rollout: Rollout, between: tuple[datetime, datetime]) -> QuerySet[Ticket]:
    """On its gateways in that time, under the release that it brings or one that it takes away."""
    upgrades = Upgrade.objects.filter(wave__rollout=rollout)
    names = {rollout.release.name, *upgrades.order_by().values_list("from_release", flat=True).distinct()}
    rows = Ticket.objects.filter(gateway__in=upgrades.values("gateway"), reported_at__range=between)
    return rows.filter(release__in=names - {""}).order_by("-reported_at")


def of_rollout(rollout: Rollout, user: User, now: datetime) -> dict[str, Any]:
    """The context of upgrader/_complaints.html. Sessions are counted only where somebody complained."""
    between = period(rollout, now)
    if between is None:
        return {"complained": None}
    rows = list(tickets_of(rollout, between).select_related("gateway")[:TICKETS_MOST])
    waves = lines(rollout, {row.gateway_id for row in rows if row.gateway_id}, between, now=now)
    parted = sum(cuts.newest(mine, row) is not None for row in rows) if (mine := cuts.cuts([rollout.pk])) else 0
    may = services.may_report(user, rollout.pool_id)
    return {
        "complained": {
            "say": said(rollout, waves),
            "cut": parted,
            "waves": waves[:LINES_MOST],
            "rows": pages.shown(rows[:SHOWN]),
            "number": len(rows),
            "may": may,
            "gateways": gateways_of(rollout) if may else [],
        }
    }


def lines(
    rollout: Rollout, complained: set[int], between: tuple[datetime, datetime], *, now: datetime
) -> list[tuple[Line, list[Line]]]:
    """Each wave with a complaint, with those of its gateways that have one, most complaints first."""
    if not complained:
        return []
    numbers = Upgrade.objects.filter(wave__rollout=rollout, gateway__in=complained).values("wave__number")
    upgrades = Upgrade.objects.filter(wave__rollout=rollout, wave__number__in=numbers).order_by("wave__number", "pk")
    waves: dict[int, list[Upgrade]] = defaultdict(list)
    for upgrade in upgrades.select_related("wave", "gateway").defer("before", "left", "cut", "gateway__facts"):
        mine = waves[upgrade.wave.number]
        if upgrade.gateway_id in complained or len(mine) < GATEWAYS_MOST:
            mine.append(upgrade)
    ids = [upgrade.gateway_id for mine in waves.values() for upgrade in mine]
    since, until = (moment.timestamp() for moment in between)
    rates = rate.by_gateway(ids, since=since, until=until, now=now.timestamp())
    new = rollout.release.name
    return [wave_of(number, [line_of(upgrade, rates, new) for upgrade in mine]) for number, mine in waves.items()]


def line_of(upgrade: Upgrade, rates: Mapping[tuple[int, str], Rate], new: str) -> Line:
    now = rates.get((upgrade.gateway_id, new), Rate())
    before = rates.get((upgrade.gateway_id, upgrade.from_release), Rate())
    return Line(upgrade.gateway.name, now, before, gateway=upgrade.gateway_id)


def wave_of(number: int, gateways: list[Line]) -> tuple[Line, list[Line]]:
    new = sum((line.new for line in gateways), Rate())
    old = sum((line.old for line in gateways), Rate())
    told = [line for line in gateways if line.new.complaints or line.old.complaints]
    told.sort(key=lambda line: (-line.new.complaints, -line.old.complaints, line.name))
    return Line(f"Wave {number}", new, old), told[:LINES_MOST]


def said(rollout: Rollout, waves: Sequence[tuple[Line, list[Line]]]) -> str:
    """The sentence above the table."""
    if not waves:
        return "Nobody complained on its gateways since its first step."
    new = sum((line.new for line, _ in waves), Rate())
    old = sum((line.old for line, _ in waves), Rate())
    under = f"{count(new.complaints, 'complaint')} under {rollout.release.name}: {new.say}."
    return f"{under} {old.complaints} under what was there before: {old.say}."


def gateways_of(rollout: Rollout) -> list[tuple[int, str]]:
    """Gateways to choose from, those that were touched."""
    rows = Upgrade.objects.filter(wave__rollout=rollout, steps__started_at__isnull=False).distinct()
    return list(rows.order_by("gateway__name").values_list("gateway_id", "gateway__name")[:NAMES_MOST])


def of_release(release: Release, user: User, now: datetime) -> dict[str, Any]:
    """The context of upgrader/_release_complaints.html, for the release's page."""
    rows = pages.tickets_for(user).filter(release=release.name, reported_at__gte=now - timedelta(days=DAYS))
    told = list(rows.order_by("-reported_at").values_list("gateway_id", "reported_at")[:TICKETS_MOST])
    brought = brought_by(release, told)
    found, apart = Counter(pk for pk in brought if pk is not None), brought.count(None)
    newest = Rollout.objects.filter(pk__in=found).select_related("pool", "release").order_by("-pk")
    return {
        "complaints_say": release_say(sum(found.values()), len(found), apart),
        "complaints_in": [(row, found[row.pk], rate_of(row, now)) for row in newest[:ROLLOUTS_SHOWN]],
    }


def release_say(number: int, rollouts: int, apart: int) -> str:
    if not number and not apart:
        return f"Nobody complained under it in {DAYS} days."
    if not number:
        return f"{count(apart, 'complaint')} in {DAYS} days, none in a rollout of it."
    more = f" {count(apart, 'complaint')} more apart from them." if apart else ""
    return f"{count(number, 'complaint')} in {count(rollouts, 'rollout')}.{more}"


def brought_by(release: Release, told: Sequence[tuple[int | None, datetime]]) -> list[int | None]:
    """Of each complaint (gateway, when) the rollout that had brought the release there by then; None for none."""
    upgrades = Upgrade.objects.filter(wave__rollout__release=release, gateway__in={gateway for gateway, _ in told})
    begun: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    rows = upgrades.order_by().values_list("gateway_id", "wave__rollout").annotate(begun=Min("steps__started_at"))
    for gateway, rollout, at in rows:
        if at is not None:
            begun[gateway].append((at, rollout))
    return [
        max(((at, pk) for at, pk in begun[gateway or 0] if at <= when), default=(None, None))[1]
        for gateway, when in told
    ]


def rate_of(rollout: Rollout, now: datetime) -> Rate:
    """Complaints of sessions under its release, on its gateways and in its time."""
    between = period(rollout, now)
    if between is None:
        return Rate()
    ids = Upgrade.objects.filter(wave__rollout=rollout).values_list("gateway_id", flat=True)[:GATEWAYS_MOST]
    since, until = (moment.timestamp() for moment in between)
    return rate.by_release(ids, since=since, until=until, now=now.timestamp()).get(rollout.release.name, Rate())
