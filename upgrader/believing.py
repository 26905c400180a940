"""After yesterday's database came back: gateways have seen orders that it does not know. A person says to believe them.

What the old plans wanted there is closed, not done: their upgrades are left out and their rollouts held for a person.
"""

from __future__ import annotations

from datetime import datetime

from approvals.errors import Refused
from approvals.models import Actor
from fleet import services as fleet
from fleet.models import Gateway
from upgrader import journal
from upgrader.engine import LIVE
from upgrader.journal import Change
from upgrader.models import Rollout, Upgrade
from upgrader.states import R, U

OPEN = (U.PLANNED, U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.FAILED, U.ROLLING_BACK)


def believe(gateway: Gateway, *, actor: Actor, now: datetime, why: str) -> str:
    """Take release, sessions and fence from the gateway, close what old plans wanted there; return what was done."""
    if gateway.state not in (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED):
        raise Refused(f"{gateway.name} is no gateway of the fleet, so there is nothing to believe.")
    if not why.strip():
        raise Refused(f"Say why {gateway.name} is to be believed: it goes on the record.")
    closed = [close(upgrade, actor=actor, now=now, why=why) for upgrade in open_on(gateway)]
    for rollout in Rollout.objects.filter(pk__in=closed):
        hold(rollout, gateway, actor=actor, now=now)
    if not fleet.believe(gateway, actor=actor, now=now, why=why):
        raise Refused(f"{gateway.name} does not answer, so it can't be believed yet. Try again when it does.")
    gateway.refresh_from_db()
    return f"{gateway.name} serves {gateway.release}; its orders go on after {gateway.fence}. {said(closed)}"


def open_on(gateway: Gateway) -> list[Upgrade]:
    found = Upgrade.objects.filter(gateway=gateway, state__in=OPEN, wave__rollout__state__in=[*LIVE, R.FAILED])
    return list(found.select_related("gateway", "wave__rollout"))


def close(upgrade: Upgrade, *, actor: Actor, now: datetime, why: str) -> int:
    """Leave the gateway out of the old plan, without a word to it; return the rollout's id."""
    say = f"Left out: {upgrade.gateway.name} is ahead of this database. {why}"
    if upgrade.state not in (U.PLANNED, U.ROLLING_BACK):
        journal.move([Change(upgrade, U.ROLLING_BACK, say, drop_steps=True)], actor=actor, now=now)
        upgrade.refresh_from_db()
    journal.move([Change(upgrade, U.SKIPPED, say, drop_steps=True)], actor=actor, now=now)
    return upgrade.wave.rollout_id


def hold(rollout: Rollout, gateway: Gateway, *, actor: Actor, now: datetime) -> None:
    """What is left of the rollout is a person's to judge."""
    if journal.legal(rollout, R.HELD):
        say = f"{gateway.name} is ahead of this database and was left out. Abort, or resume for the other gateways."
        journal.move([Change(rollout, R.HELD, say, columns={"held_from": rollout.state})], actor=actor, now=now)


def said(closed: list[int]) -> str:
    rollouts = ", ".join(f"rollout {pk}" for pk in sorted(set(closed)))
    return f"It was left out of {rollouts}." if closed else "No plan was open there."
