"""From rows to what a wave's chart shows. Reads only."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min

from fleet.models import Sample
from upgrader.charts import Evidence, Mark, Probe
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.states import S

SAMPLES = 20_000  # newest rows that are read for one chart
AFTER = timedelta(minutes=5)  # of watching after the wave's last step


def evidence(rollout: Rollout, number: int) -> Evidence:
    """Return the probes of one wave on both sides, from its first step on; a wave that did not start has none."""
    wave = rollout.waves.filter(number=number).first()
    upgrades = list(Upgrade.objects.filter(wave=wave).defer("before", "cut")) if wave else []
    spec = rollout.plan.get("spec", {})
    return Evidence(
        wave=number,
        canary=rollout.release.name,
        control=" / ".join(sorted({upgrade.from_release for upgrade in upgrades})),
        limit=float(spec.get("limits", {}).get("login_success_min", 1.0)),
        probes=_probes(upgrades),
        marks=_marks(wave) if wave else [],
    )


def _window(upgrades: list[Upgrade]) -> tuple[datetime, datetime] | None:
    steps = StepRun.objects.filter(upgrade__in=upgrades, started_at__isnull=False)
    # An open drain may last for days: it does not say how long the wave was watched.
    ends = steps.exclude(name__in=["drain", "retire"]).aggregate(first=Min("started_at"), last=Max("due_at"))
    return (ends["first"], ends["last"] + AFTER) if ends["first"] else None


def _probes(upgrades: list[Upgrade]) -> list[Probe]:
    window = _window(upgrades)
    if window is None:
        return []
    sides = {(u.gateway_id, slot): slot == u.to_slot for u in upgrades for slot in (u.from_slot, u.to_slot) if slot}
    rows = Sample.objects.filter(gateway__in=[u.gateway_id for u in upgrades], at__range=window).order_by("-at")
    return [
        Probe(at, sides[gateway, slot], bool(values["probe_ok"]))
        for gateway, slot, at, values in rows.values_list("gateway_id", "slot", "at", "values")[:SAMPLES]
        if (gateway, slot) in sides and values.get("probe_ok") is not None
    ]


def _marks(wave: Wave) -> list[Mark]:
    """The first gateway's change to each share of new clients, and the first step back."""
    first: dict[Any, Mark] = {}
    steps = StepRun.objects.filter(upgrade__wave=wave, name__in=["shift", "restore"], state=S.DONE)
    for step in steps.order_by("finished_at"):
        if step.finished_at is None:
            continue
        weight = step.args.get("weight")
        say = "rolled back" if step.name == "restore" else f"{weight} %"
        first.setdefault(weight if step.name == "shift" else "back", Mark(step.finished_at, say))
    return list(first.values())
