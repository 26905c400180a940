"""Which readings a rollout's and a pool's charts are made of, and what is marked in them. Reads only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import Count, Max, Min, Q

from fleet.alarms import thresholds
from fleet.metrics.bands import PANELS
from fleet.metrics.compare import Asked
from fleet.metrics.sides import Side
from fleet.metrics.stacked import Mark
from fleet.models import Gateway, Pool
from upgrader import plans
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.states import S, W
from upgrader.strategy_spec import SpecError

BEFORE = timedelta(minutes=5)  # of a wave's first step: what the old release was like
AFTER = timedelta(minutes=10)  # of its last one
MARKS_MOST = 12
RELEASES_MOST = 3  # lines of a pool
MOST = 200  # gateways of one side: more are not collected from either (HANDOVER_COLLECT_MOST)


def of_wave(rollout: Rollout, number: int, *, now: datetime) -> Asked | None:
    """The new slots of a wave against the old ones; None while it has not begun."""
    wave = rollout.waves.filter(number=number).exclude(state=W.PLANNED).first()
    if wave is None:
        return None
    upgrades = list(Upgrade.objects.filter(wave=wave).defer("before", "cut", "left")[:MOST])
    window = _window(upgrades, now)
    return Asked(
        [side for side in (_new(rollout, upgrades), _old(rollout, upgrades)) if side.gateways],
        since=window[0].timestamp(),
        until=window[1].timestamp(),
        marks=_marks(wave),
        tolerated=_tolerated(rollout),
        alarms=thresholds.of_pool(rollout.pool_id, PANELS),
    )


def _window(upgrades: list[Upgrade], now: datetime) -> tuple[datetime, datetime]:
    """From before the first step to after the last; what was just now where none has begun yet."""
    steps = StepRun.objects.filter(upgrade__in=upgrades, started_at__isnull=False)
    # An open drain may last for days: it does not say how long the wave was watched.
    ends = steps.exclude(name__in=["drain", "retire"]).aggregate(first=Min("started_at"), last=Max("due_at"))
    return (ends["first"] - BEFORE, min(now, ends["last"] + AFTER)) if ends["first"] else (now - BEFORE, now)


def _new(rollout: Rollout, upgrades: list[Upgrade]) -> Side:
    name = rollout.release.name
    ids = [upgrade.gateway_id for upgrade in upgrades if upgrade.to_slot]
    return Side(f"{name} (new)", "canary", Q(release=name), ids)


def _old(rollout: Rollout, upgrades: list[Upgrade]) -> Side:
    """The old slots beside the new ones; where none is left beside, the pool's gateways with the old release."""
    names = sorted({upgrade.from_release for upgrade in upgrades})
    ids = [upgrade.gateway_id for upgrade in upgrades if upgrade.from_slot]
    if not ids:
        others = Gateway.objects.filter(pool=rollout.pool, release__in=names)
        ids = list(others.values_list("pk", flat=True)[:MOST])
    return Side(f"{' / '.join(names)} (old)", "control", Q(release__in=names), ids)


def _tolerated(rollout: Rollout) -> dict[str, float]:
    try:
        metrics = plans.spec_of(rollout).limits.metrics
    except SpecError:
        return {}  # a page is drawn all the same; that the plan can't be read stops the rollout elsewhere
    return {name: metric.tolerated for name, metric in metrics.items() if metric.use}


def _marks(wave: Wave) -> list[Mark]:
    """The first gateway's change to each share of new clients, and the first step back."""
    first: dict[str, Mark] = {}
    steps = StepRun.objects.filter(upgrade__wave=wave, name__in=["shift", "restore"], state=S.DONE)
    for name, args, at in steps.order_by("finished_at").values_list("name", "args", "finished_at"):
        say = "rolled back" if name == "restore" else f"{args.get('weight')} %"
        if at is not None:
            first.setdefault(say, Mark(at.timestamp(), say, "limit" if name == "restore" else "mark"))
    return list(first.values())[:MARKS_MOST]


def on_gateway(gateway: int, since: float, until: float) -> list[Mark]:
    """Each share of new clients and each step back on one gateway: a fleet.metrics.pages.Marker."""
    steps = StepRun.objects.filter(upgrade__gateway=gateway, name__in=["shift", "restore"], state=S.DONE)
    window = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    told = steps.filter(finished_at__range=window).select_related("upgrade__wave__rollout__release")
    return [mark_of(step) for step in told.order_by("-finished_at")[:MARKS_MOST]]


def mark_of(step: StepRun) -> Mark:
    release = step.upgrade.wave.rollout.release.name
    at = step.finished_at.timestamp() if step.finished_at else 0.0
    if step.name == "restore":
        return Mark(at, f"{release} rolled back", "limit")
    return Mark(at, f"{release} {step.args.get('weight')} %")


def of_pool(pool: Pool, *, hours: int, now: datetime) -> Asked:
    """A pool's gateways by release, the newest release first, with the rollouts of that time."""
    since = now - timedelta(hours=hours)
    ids = list(pool.gateways.order_by("pk").values_list("pk", flat=True)[:MOST])
    sides = [
        Side(name, ("canary", "control", "other")[place], Q(release=name), ids)
        for place, name in enumerate(_releases(pool, since))
    ]
    return Asked(
        sides,
        since.timestamp(),
        now.timestamp(),
        marks=_rollout_marks(pool, since),
        alarms=thresholds.of_pool(pool.pk, PANELS),
    )


def _releases(pool: Pool, since: datetime) -> list[str]:
    """The newest release that a rollout brought in this time and what it took away, then what serves most."""
    begun = Upgrade.objects.filter(wave__rollout__pool=pool, steps__finished_at__gte=since)
    pairs = begun.order_by("-wave__rollout").values_list("wave__rollout__release__name", "from_release").distinct()[:3]
    serving = Gateway.objects.filter(pool=pool).exclude(release="").values("release").annotate(n=Count("pk"))
    names = [name for pair in pairs for name in pair]
    names += serving.order_by("-n").values_list("release", flat=True)
    return list(dict.fromkeys(names))[:RELEASES_MOST]


def _rollout_marks(pool: Pool, since: datetime) -> list[Mark]:
    """Each wave's first share of new clients and first step back."""
    waves = Wave.objects.filter(rollout__pool=pool, upgrades__steps__finished_at__gte=since).distinct()
    marks: list[Mark] = []
    for wave in waves.select_related("rollout__release").order_by("pk")[:MARKS_MOST]:
        name = f"{wave.rollout.release.name} wave {wave.number}"
        told = [mark for mark in _marks(wave) if mark.at >= since.timestamp()]
        begun = [Mark(mark.at, name) for mark in told if mark.tone == "mark"][:1]
        marks += [*begun, *(Mark(mark.at, f"{name} rolled back", "limit") for mark in told if mark.tone == "limit")]
    return marks[:MARKS_MOST]
