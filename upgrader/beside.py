"""What else was changed on the gateways of a pool while a wave was watched. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from fleet.models import Alert, Errand, Gateway
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import S, U

LEAD = timedelta(minutes=15)  # before the wave's own change; what came earlier is part of how it was before
MOST = 5  # changes, the newest of them; each is held against the rollout by itself
EACH_MOST = 20  # gateways that have one change, that have the other, and that have neither
TOUCHES_MOST = 500  # the newest; of thousands of gateways that have it these tell enough
SHIFTS = ("shift", "reload", "replace")
ERRANDS: Mapping[str, str] = {
    "agree": "the agreed configuration put back",
    "adopt_conf": "the configuration that was adopted",
    "configure": "a configuration",
}
"""Kinds of errands that change what users meet."""


@dataclass(frozen=True)
class Touch:
    at: float  # epoch seconds
    slot: int = 0  # the one that is new; 0: all of the gateway


@dataclass(frozen=True)
class Changed:
    """A change by its name, and where it came: gateway's id → its first touch there."""

    name: str
    touches: Mapping[int, Touch] = field(default_factory=dict)


def own(rollout: Rollout) -> Changed:
    """What the rollout itself has done."""
    steps = StepRun.objects.filter(upgrade__wave__rollout=rollout)
    return Changed(rollout.release.name, touched(steps).get(rollout.pk, {}))


def others(rollout: Rollout, since: datetime) -> list[Changed]:
    """Other rollouts, configurations and drift on gateways of the pool from shortly before `since` on."""
    pool, begin = Gateway.objects.filter(pool=rollout.pool), since - LEAD
    steps = StepRun.objects.filter(upgrade__gateway__in=pool, finished_at__gte=begin)
    taken_back = StepRun.objects.filter(
        name="restore", state=S.DONE, finished_at__lt=since, upgrade=OuterRef("upgrade")
    )
    steps = steps.exclude(Exists(taken_back))
    found = [
        Changed(f"rollout {pk}", touches)
        for pk, touches in touched(steps.exclude(upgrade__wave__rollout=rollout)).items()
    ]
    errands: dict[str, dict[int, Touch]] = defaultdict(dict)
    done = Errand.objects.filter(gateway__in=pool, kind__in=ERRANDS, state=Errand.State.DONE, finished_at__gte=begin)
    for kind, gateway, at in done.order_by("finished_at").values_list("kind", "gateway_id", "finished_at"):
        if at is not None:
            errands[ERRANDS[kind]].setdefault(gateway, Touch(at.timestamp()))
    drifted = Alert.objects.filter(gateway__in=pool, kind="drift", since__gte=begin).order_by("since")
    for code, gateway, at in drifted.values_list("code", "gateway_id", "since"):
        if gateway is not None:
            errands[f"drift of {code}"].setdefault(gateway, Touch(at.timestamp()))
    found += [Changed(name, touches) for name, touches in errands.items()]
    return sorted(found, key=lambda one: -max(touch.at for touch in one.touches.values()))[:MOST]


def touched(steps: QuerySet[StepRun]) -> dict[int, dict[int, Touch]]:
    """Rollout → gateway → its first change of what users meet there."""
    found: dict[int, dict[int, Touch]] = defaultdict(dict)
    rows = steps.filter(name__in=SHIFTS, state=S.DONE, finished_at__isnull=False).order_by("-finished_at")
    columns = ("name", "finished_at", "upgrade__wave__rollout", "upgrade__gateway", "upgrade__to_slot")
    for name, at, rollout, gateway, slot in reversed(list(rows.values_list(*columns)[:TOUCHES_MOST])):
        # A shift has the new release in one slot and the old one beside it; the others change all that is there.
        found[rollout].setdefault(gateway, Touch(at.timestamp(), (slot or 0) if name == "shift" else 0))
    return dict(found)


def universe(rollout: Rollout, first: Changed, second: Changed) -> list[int]:
    """Gateways by which two changes are told apart: those that either came to, and others of the pool."""
    mine = dict.fromkeys([*list(second.touches)[-EACH_MOST:], *list(first.touches)[-EACH_MOST:]])
    begun = Upgrade.objects.filter(wave__rollout=rollout).exclude(state__in=[U.PLANNED, U.SKIPPED])
    rest = Gateway.objects.filter(pool=rollout.pool, state__in=Gateway.SPOKEN_TO)
    rest = rest.exclude(pk__in=[*first.touches, *second.touches]).exclude(pk__in=begun.values("gateway"))
    return [*mine, *rest.order_by("pk").values_list("pk", flat=True)[:EACH_MOST]]
