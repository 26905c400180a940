"""From rows to the values that decide.py and gates.py think about. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from upgrader.decide import RolloutSeen, UpgradeSeen, WaveSeen
from upgrader.gates import Evidence, Judgement, Side, judge
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.states import R, S, U, W
from upgrader.strategy import Spec, parse_spec

MISSES_UNTIL_SILENT = 3


@dataclass(frozen=True)
class Looked:
    """One rollout as it stands: the values to decide on, and the rows to write to."""

    seen: RolloutSeen
    spec: Spec
    rollout: Rollout
    waves: dict[int, Wave]
    upgrades: dict[int, Upgrade]
    judgements: dict[int, Judgement]  # by wave, where one is under observation


def look(rollout_id: int, *, now: datetime) -> Looked:
    """Read everything about one rollout in a fixed number of queries. Raise strategy.SpecError for a bad strategy."""
    rollout = Rollout.objects.select_related("release", "pool", "request").get(pk=rollout_id)
    spec = parse_spec(rollout.plan["spec"])
    waves = {wave.pk: wave for wave in rollout.waves.all()}
    upgrades = {
        upgrade.pk: upgrade
        for upgrade in Upgrade.objects.filter(wave__rollout=rollout).select_related("gateway", "wave")
    }
    failed = dict(
        StepRun.objects.filter(upgrade__in=upgrades, state=S.FAILED)
        .order_by("ordinal")
        .values_list("upgrade_id", "name")
    )
    judgements: dict[int, Judgement] = {}
    for wave in waves.values():
        mine = [upgrade for upgrade in upgrades.values() if upgrade.wave_id == wave.pk]
        if wave.state in (W.UPGRADING, W.OBSERVING) and any(upgrade.state == U.OBSERVING for upgrade in mine):
            judgements[wave.pk] = judge(evidence(rollout, mine), spec.limits)
    seen = RolloutSeen(
        state=R(rollout.state),
        reason=rollout.reason,
        answer=rollout.request.state if rollout.request else "",
        release=rollout.release.name,
        promote=spec.promote,
        at_once=spec.at_once,
        waves=tuple(wave_seen(wave, upgrades.values(), failed, judgements.get(wave.pk)) for wave in waves.values()),
        now=now,
    )
    return Looked(seen, spec, rollout, waves, upgrades, judgements)


def wave_seen(wave: Wave, upgrades: Iterable[Upgrade], failed: dict[int, str], judgement: Judgement | None) -> WaveSeen:
    return WaveSeen(
        id=wave.pk,
        number=wave.number,
        state=W(wave.state),
        stage=wave.stage,
        stages=len(wave.weights),
        observe_until=wave.observe_until,
        verdict=judgement.outcome if judgement else None,
        verdict_reason=judgement.sentence if judgement else wave.reason,
        upgrades=tuple(
            UpgradeSeen(u.pk, u.gateway.name, U(u.state), u.reason, failed.get(u.pk, ""))
            for u in upgrades
            if u.wave_id == wave.pk
        ),
    )


def evidence(rollout: Rollout, upgrades: list[Upgrade]) -> Evidence:
    """Sum what the gateways under observation said since their present share was shifted: one row a gateway."""
    watched = [upgrade.pk for upgrade in upgrades if upgrade.state == U.OBSERVING]
    steps = StepRun.objects.filter(upgrade__in=watched, name="observe", state__in=[S.DUE, S.CLAIMED])
    canary = Side(rollout.release.name)
    control = Side("/".join(sorted({upgrade.from_release for upgrade in upgrades})))
    lost, silent = [], []
    for step in steps.select_related("upgrade__gateway"):
        tally = step.result.get("tally", {})
        canary, control = add(canary, tally.get("canary", {})), add(control, tally.get("control", {}))
        if step.result.get("lost"):
            lost.append(str(step.result["lost"]))
        if int(step.result.get("misses", 0)) >= MISSES_UNTIL_SILENT:
            silent.append(step.upgrade.gateway.name)
    return Evidence(canary, control, lost, silent)


def add(side: Side, counts: Mapping[str, Any]) -> Side:
    """`counts` as steps/tally.py keeps them."""
    return replace(
        side,
        tried=side.tried + int(counts.get("tried", 0)),
        failed=side.failed + int(counts.get("failed", 0)),
        restarts=side.restarts + int(counts.get("restarts", 0)),
        last_failure=str(counts.get("last", "")) or side.last_failure,
    )
