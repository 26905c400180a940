"""What rollouts have to say about changes below: a gateway that is at work can't leave."""

from __future__ import annotations

from fleet import errands
from fleet.enrolment import BUSY
from fleet.models import Gateway
from upgrader import restage
from upgrader.models import Upgrade


def busy_with_rollout(gateway: Gateway) -> str:
    """Return why the gateway can't leave now: a rollout is at work on it."""
    at_work = Upgrade.objects.filter(gateway=gateway, busy=True).values_list("wave__rollout_id", flat=True).first()
    return f"Rollout {at_work} is at work on {gateway.name}. Let it end, or roll it back first." if at_work else ""


BUSY.append(busy_with_rollout)
errands.KINDS["restage"] = restage.restage
