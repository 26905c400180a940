"""What a yes to a rollout covers, and whether it still does. Checked when it is given and each time it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import User
from fleet.models import Gateway, Pool
from fleet.phrases import listed
from releases import configs
from releases import services as releases
from upgrader import between, bounds, drifted, journal, plans, rights
from upgrader.downgrade import downgraded
from upgrader.flow import OUTGOING
from upgrader.journal import Change
from upgrader.models import Rollout, Upgrade
from upgrader.plan import digest
from upgrader.states import R, U

State = Gateway.State
BEGINS = frozenset({U.UPGRADING, U.READY})
ONWARD = BEGINS | {U.OBSERVING, U.COMMITTING}
"""Where an upgrade brings the release further; the first two are a beginning."""


def check_use(rollout: Rollout, *, now: datetime, beginning: Collection[int] | None = None) -> None:
    """Raise Refused, with the sentence, unless the yes that was given covers what would run now.

    `beginning`: ids of the gateways that begin within a wave that began before. Only they are looked at then, and the
    plan is what this process has read: each wave's beginning looks at all of them and at the stored plan.
    """
    if rollout.request is None:
        raise Refused("Nobody was asked to approve this rollout.")
    if beginning is None and digest(stored(rollout)) != rollout.digest:
        raise Refused("The stored plan is not the one that was approved. Draft the rollout anew.")
    approvals.check_use(
        rollout.request,
        digest=rollout.digest,
        now=now,
        has_right=lambda person: may_approve(person, rollout) and bounds.may_pass(person, rollout),
    )
    check_release(rollout, now=now)
    check_config(rollout)
    check_gateways(rollout, beginning)
    drifted.check(rollout, beginning)


def may_approve(person: User, rollout: Rollout) -> bool:
    """Whether the person may say yes for every pool whose users it moves; his shift may be over by now."""
    concerned = Pool.objects.filter(pk__in=between.pools(rollout, rollout.plan))
    return all(rights.holds(person, "approve", pool) for pool in concerned)


def stored(rollout: Rollout) -> Mapping[str, Any]:
    """The plan as the database has it now."""
    plan: Mapping[str, Any] = Rollout.objects.values_list("plan", flat=True).get(pk=rollout.pk)
    return plan


def check_again(rollout: Rollout, again: Sequence[Change], *, now: datetime) -> None:
    """Raise Refused unless these upgrades may be tried again. Going back may at any time; what goes on needs a yes that
    still holds, and what begins also a time at which something may begin.
    """
    onward = [change for change in again if change.to in ONWARD]
    names = listed([change.row.gateway.name for change in onward if isinstance(change.row, Upgrade)], 8)
    if rollout.state == R.FAILED and any(change.to != U.ROLLING_BACK for change in again):
        raise Refused("The rollout could not be rolled back, so only going back is tried again.")
    if onward:
        check_use(rollout, now=now)
    if any(change.to in BEGINS for change in onward):
        bounds.refuse_beginning(rollout, f"{names} may be tried again after that.", now=now)


def hold_if_unusable(rollout: Rollout, *, now: datetime) -> bool:
    """Hold a rollout whose release may not be used any more, and say why; return whether it may not."""
    try:
        check_release(rollout, now=now)
    except Refused as no:
        hold(rollout, no.say, now=now)
        return True
    return False


def hold(rollout: Rollout, say: str, *, now: datetime) -> None:
    """Stop going on; nothing happens where there is nothing to stop, or where somebody else has just moved it."""
    if journal.legal(rollout, R.HELD):
        change = Change(rollout, R.HELD, say, columns={"held_from": rollout.state})
        with contextlib.suppress(journal.LostRace):
            journal.move([change], actor=journal.MACHINE, now=now)


def check_release(rollout: Rollout, *, now: datetime) -> None:
    """Raise Refused when the release may not go to this pool any more: withdrawn, its signers, its channel's policy."""
    release = rollout.release
    if why := releases.why_not_for(release, rollout.pool, now):
        raise Refused(why)
    if release.digest != plans.plan_of(rollout)["release"]["digest"]:
        raise Refused(f"{release.name} is not the release that was approved: its digest differs.")


def check_config(rollout: Rollout) -> None:
    """Raise Refused when the configuration that goes along is not agreed any more, or not the one of the plan."""
    planned, row = rollout.plan.get("config"), rollout.config
    if planned is None:
        return
    if row is None or (row.pk, row.sha256) != (planned["id"], planned["sha256"]):
        raise Refused("The configuration of this rollout is not the one that was approved. Draft the rollout anew.")
    if why := configs.why_not(row):
        raise Refused(why)


def check_gateways(rollout: Rollout, beginning: Collection[int] | None = None) -> None:
    """Raise Refused when a planned gateway is not what was approved. Those that left are left out: less than was
    approved is allowed (upgrader/changed.py shows it); the engine skips them.
    """
    every = [gateway for wave in rollout.plan["waves"] for gateway in wave["gateways"]]
    planned = {gateway["id"] for gateway in every} if beginning is None else set(beginning)
    leaving = {gateway["id"] for gateway in every if gateway.get("way") == OUTGOING}
    here = Gateway.objects.filter(pk__in=planned, pool__in=between.pools(rollout, rollout.plan)).only("name", "state")
    known = list(here.filter(state__in=[*Gateway.SPOKEN_TO, State.QUARANTINED]))
    if not known and beginning is None:
        raise Refused("Every gateway of this plan left the pool after it was drawn. Draft the rollout anew.")
    bringing = [gateway for gateway in known if gateway.pk not in leaving]
    down = set(downgraded(rollout.release, bringing)) - set(rollout.plan.get("downgrade", []))
    if down:
        raise Refused(
            f"{', '.join(sorted(down))} has run something higher than {rollout.release.name} since the plan was made, "
            "so this would be a downgrade that nobody approved. Draft the rollout anew."
        )
    shut = [gateway.name for gateway in known if gateway.state == State.QUARANTINED]
    if shut:
        raise Refused(f"{', '.join(shut)} is quarantined. Look at its host key, then resume.")
