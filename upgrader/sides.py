"""What gateways under observation said, summed to the two sides that a verdict compares. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from upgrader.gates import Evidence, Side
from upgrader.models import Rollout, StepRun, Upgrade

MISSES_UNTIL_SILENT = 3


def evidence(rollout: Rollout, watched: list[Upgrade], steps: Mapping[int, StepRun]) -> Evidence:
    """Sum what the gateways said since their present share was shifted. `steps`: open ones, by their upgrade's id."""
    canary = Side(rollout.release.name)
    control = Side("/".join(sorted({upgrade.from_release for upgrade in watched})))
    lost, silent = [], []
    for upgrade in watched:
        step = steps.get(upgrade.pk)
        if step is None or step.name != "observe":
            continue
        tally = step.result.get("tally", {})
        canary, control = add(canary, tally.get("canary", {})), add(control, tally.get("control", {}))
        if step.result.get("lost"):
            lost.append(str(step.result["lost"]))
        if is_silent(step):
            silent.append(upgrade.gateway.name)
    return Evidence(canary, control, lost, silent)


def is_silent(step: StepRun | None) -> bool:
    """Whether its gateway has not answered lately."""
    return step is not None and int(step.result.get("misses", 0)) >= MISSES_UNTIL_SILENT


def add(side: Side, counts: Mapping[str, Any]) -> Side:
    """`counts` as steps/tally.py keeps them."""
    return replace(
        side,
        tried=side.tried + int(counts.get("tried", 0)),
        failed=side.failed + int(counts.get("failed", 0)),
        restarts=side.restarts + int(counts.get("restarts", 0)),
        last_failure=str(counts.get("last", "")) or side.last_failure,
    )
