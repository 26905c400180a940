"""What rollouts have to say about changes below, and the bounds' own changes, which need a second person."""

from __future__ import annotations

from approvals.changes import KINDS, Change
from fleet import enrol_pages, errands
from fleet.enrolment import BUSY
from fleet.models import Gateway
from upgrader import believing, bound_changes, restage
from upgrader.models import Upgrade


def busy_with_rollout(gateway: Gateway) -> str:
    """Return why the gateway can't leave now: a rollout is at work on it."""
    at_work = Upgrade.objects.filter(gateway=gateway, busy=True).values_list("wave__rollout_id", flat=True).first()
    return f"Rollout {at_work} is at work on {gateway.name}. Let it end, or roll it back first." if at_work else ""


BUSY.append(busy_with_rollout)
errands.KINDS["restage"] = restage.restage

ASK, CONFIRM = bound_changes.ASK, bound_changes.CONFIRM
KINDS[bound_changes.WINDOW_SET] = Change(ASK, CONFIRM, apply=bound_changes.window_set)
KINDS[bound_changes.WINDOW_END] = Change(ASK, CONFIRM, apply=bound_changes.window_ended)
KINDS[bound_changes.FREEZE_LIFT] = Change(ASK, CONFIRM, apply=bound_changes.lifted)
KINDS[bound_changes.BUDGET_SET] = Change(ASK, CONFIRM, apply=bound_changes.budget_set, lock=bound_changes.budget_locked)

KINDS[believing.BELIEVE] = Change(
    "fleet.enrol_gateway", "fleet.approve_gateway", apply=believing.believed, lock=believing.locked
)
enrol_pages.ABOUT_GATEWAYS.append(believing.BELIEVE)
