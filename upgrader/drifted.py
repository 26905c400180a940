"""Drift under a rollout: it does not start over any, unless the plan that was approved names exactly that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from approvals.errors import Refused
from fleet import alerts
from fleet.drift import PARTS
from fleet.phrases import count, listed
from upgrader.models import Rollout, Upgrade
from upgrader.states import U


def standing(gateway_ids: Iterable[int]) -> list[dict[str, Any]]:
    """The open drift of these gateways as a plan names it: which gateway, which part, and the hash of what is there."""
    return [
        {"id": it.gateway_id, "gateway": it.host.name, "code": it.code, "sha256": str(it.details.get("sha256", ""))}
        for it in alerts.open_on(gateway_ids)
    ]


def of_plan(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The open drift of the gateways of a plan that it does not name."""
    ids = [gateway["id"] for wave in plan["waves"] for gateway in wave["gateways"]]
    return beyond(plan, ids)


def beyond(plan: Mapping[str, Any], gateway_ids: Collection[int]) -> list[dict[str, Any]]:
    """What stands on these gateways and was not approved with the plan."""
    named = {_key(entry) for entry in plan.get("drift", [])}
    return [entry for entry in standing(gateway_ids) if _key(entry) not in named]


def check(rollout: Rollout, beginning: Collection[int] | None = None) -> None:
    """Raise Refused, naming gateway and part, when a gateway that has not begun drifted beyond what was approved.

    `beginning`: ids of the only ones to look at.
    """
    planned = Upgrade.objects.filter(wave__rollout=rollout, state=U.PLANNED)
    waiting = list(planned.values_list("gateway_id", flat=True)) if beginning is None else beginning
    if found := beyond(rollout.plan, waiting):
        raise Refused(
            f"{said(found)} drifted from what was agreed, and the plan does not include that."
            " Put it back or adopt it, or draft the rollout anew and include it."
        )


def said(found: Sequence[Mapping[str, Any]]) -> str:
    """Gateways with their parts: "fra-gw-01 (ocserv.conf)"."""
    parts: dict[str, list[str]] = {}
    for entry in found:
        parts.setdefault(entry["gateway"], []).append(PARTS.get(entry["code"], entry["code"]))
    return listed([f"{name} ({listed(codes)})" for name, codes in parts.items()])


def plan_say(plan: Mapping[str, Any]) -> str:
    """What must not be overlooked about the plan; "" when it goes over no drift."""
    found = plan.get("drift", [])
    if not found:
        return ""
    number = len({entry["id"] for entry in found})
    return f"This goes over the drift of {count(number, 'gateway')}: {said(found)}. It stays there until it is settled."


def over(plan: Mapping[str, Any], gateway_id: int) -> str:
    """SHA-256 of the edited ocserv.conf that the plan lets stand on the gateway; "" when it names none."""
    mine = (entry for entry in plan.get("drift", []) if entry["id"] == gateway_id and entry["code"] == "conf")
    return next((entry["sha256"] for entry in mine), "")


def _key(entry: Mapping[str, Any]) -> tuple[int, str, str]:
    return (int(entry["id"]), str(entry["code"]), str(entry["sha256"]))
