"""Plans as the steps read them. A plan of thousands of gateways takes longer to read than a step to settle.

A digest names one text for ever, so what was read once under it need not be read again. What was approved is checked
against the row itself where something new begins: approval.check_use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upgrader.models import Rollout
from upgrader.plan import digest
from upgrader.strategy import Spec, parse_spec

MOST = 32  # plans a process keeps
_KEPT: dict[str, tuple[Mapping[str, Any], Spec]] = {}


def plan_of(rollout: Rollout) -> Mapping[str, Any]:
    """The rollout's plan; nobody may change what is returned."""
    return _read(rollout)[0]


def spec_of(rollout: Rollout) -> Spec:
    """Its strategy. Raise strategy.SpecError for one that can't be read."""
    return _read(rollout)[1]


def config_way(rollout: Rollout) -> str:
    """The way of the configuration that goes along; "" without one."""
    return str((plan_of(rollout).get("config") or {}).get("way", ""))


def between(rollout: Rollout) -> Mapping[str, Any] | None:
    """The two pools that it switches between, as upgrader.between.Pair.plan has them; None for others."""
    found: Mapping[str, Any] | None = plan_of(rollout).get("between")
    return found


def _read(rollout: Rollout) -> tuple[Mapping[str, Any], Spec]:
    if found := _KEPT.get(rollout.digest):
        return found
    plan: Mapping[str, Any] = Rollout.objects.values_list("plan", flat=True).get(pk=rollout.pk)
    found = (plan, parse_spec(plan["spec"]))
    if digest(plan) == rollout.digest:  # else it was changed in the database: not for others to read
        while len(_KEPT) >= MOST:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[rollout.digest] = found
    return found
