"""What a yes to a rollout covers, and whether it still does. Checked when it is given and each time it is used."""

from __future__ import annotations

from datetime import datetime

from approvals import services as approvals
from approvals.errors import Refused
from fleet.models import Gateway
from releases.models import Release
from upgrader import rights
from upgrader.models import Rollout
from upgrader.plan import digest

State = Gateway.State


def check_use(rollout: Rollout, *, now: datetime) -> None:
    """Raise Refused, with the sentence, unless the yes that was given covers what would run now."""
    if rollout.request is None:
        raise Refused("Nobody was asked to approve this rollout.")
    if digest(rollout.plan) != rollout.digest:
        raise Refused("The stored plan is not the one that was approved. Draft the rollout anew.")
    approvals.check_use(
        rollout.request,
        digest=rollout.digest,
        now=now,
        has_right=lambda person: rights.may(person, "approve", rollout.pool),
    )
    check_release(rollout)
    check_gateways(rollout)


def check_release(rollout: Rollout) -> None:
    release = rollout.release
    if release.state != Release.State.READY:
        raise Refused(f"{release.name} was yanked: {release.state_reason or 'no reason given'}.")
    if release.digest != rollout.plan["release"]["digest"]:
        raise Refused(f"{release.name} is not the release that was approved: its digest differs.")


def check_gateways(rollout: Rollout) -> None:
    planned = {gateway["id"]: gateway["name"] for wave in rollout.plan["waves"] for gateway in wave["gateways"]}
    here = Gateway.objects.filter(pk__in=planned, pool_id=rollout.pool_id)
    known = {gateway.pk: gateway for gateway in here}
    gone = [name for pk, name in planned.items() if pk not in known]
    if gone:
        raise Refused(f"{', '.join(gone)} left the pool after the plan was approved. Draft the rollout anew.")
    shut = [gateway.name for gateway in known.values() if gateway.state == State.QUARANTINED]
    if shut:
        raise Refused(f"{', '.join(shut)} is quarantined. Look at its host key, then resume.")
    left = [gateway.name for gateway in known.values() if gateway.state not in (*Gateway.SPOKEN_TO, State.QUARANTINED)]
    if left:
        raise Refused(f"{', '.join(left)} left the fleet after the plan was approved. Draft the rollout anew.")
