"""Where a settled step leads: the upgrade's state, the step after it and what that is asked. From rows; writes none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from upgrader import flow, plans
from upgrader.models import Upgrade, Wave
from upgrader.states import U
from upgrader.strategy import Spec


@dataclass(frozen=True)
class Lead:
    """`state` None: it stays; `step` empty: none follows. `columns` are the upgrade's, written with the state."""

    state: U | None
    step: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


def leads(upgrade: Upgrade, step: str, *, now: datetime) -> Lead:
    """What follows `step` of this upgrade, which came with its wave and rollout."""
    wave = upgrade.wave
    spec = plans.spec_of(wave.rollout)
    together = spec.kind == "blue_green"
    last_share = wave.stage + 1 >= len(wave.weights)
    unobserved = not together and last_share and observe_seconds(wave, spec) == 0
    way = flow.way(traffic_of(upgrade), plans.config_way(wave.rollout))
    follows = flow.after(step, U(upgrade.state), way, together=together, unobserved=unobserved)
    # It was taken back to be left out.
    state = U.SKIPPED if follows.state is U.ROLLED_BACK and upgrade.skip else follows.state
    args = step_args(upgrade, follows.step, state=state or U(upgrade.state))
    columns: dict[str, Any] = {}
    if state is U.DRAINING:
        columns["drain_until"] = now + timedelta(hours=spec.drain.deadline_hours)
    # A gateway that was rolled back before a slot was chosen has nothing to drain.
    return Lead(state, follows.step if args.get("slot", 0) is not None else "", args, columns)


def traffic_of(upgrade: Upgrade) -> str:
    """How its users are moved; a gateway of the idle pool that has the release needs no second one."""
    rollout = upgrade.wave.rollout
    there = upgrade.way == flow.INCOMING and upgrade.from_release == rollout.release.name
    return flow.SETTLED if there and not plans.config_way(rollout) else upgrade.way


def observe_seconds(wave: Wave, spec: Spec) -> int:
    """How long each share of the wave is observed; 0: not at all."""
    return spec.observe_seconds if wave.observe_seconds is None else wave.observe_seconds


def step_args(upgrade: Upgrade, step: str, *, state: U) -> dict[str, Any]:
    """What a step is asked, from the rows; fixed when the step is opened."""
    match step:
        case "shift":
            return {"weight": upgrade.wave.weights[upgrade.wave.stage]}
        case "drain" | "retire":
            # After a rollback the slot that empties is the new one, and nobody may be cut there.
            back = state in (U.ROLLING_BACK, U.ROLLED_BACK, U.SKIPPED)
            return {"slot": upgrade.to_slot if back else upgrade.from_slot, **({"back": True} if back else {})}
        case _:
            return {}
