"""After yesterday's database came back: gateways have seen orders that it does not know. A person says to believe them.

What the old plans wanted there is closed, not done: their upgrades are left out and their rollouts held for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from approvals import changes
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet import services as fleet
from fleet.models import Gateway
from fleet.phrases import count
from upgrader import hint, journal
from upgrader.engine import LIVE
from upgrader.journal import Change
from upgrader.models import Rollout, Upgrade
from upgrader.states import R, U

OPEN = (U.PLANNED, U.UPGRADING, U.READY, U.OBSERVING, U.COMMITTING, U.DRAINING, U.FAILED, U.ROLLING_BACK)
BELIEVE = "gateway.believe"


def ask(gateway: Gateway, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask a second person to believe a gateway that is ahead of this database."""
    _refuse_known(gateway)
    _refuse_no_reason(gateway, why)
    closed = sorted({upgrade.wave.rollout_id for upgrade in open_on(gateway)})
    here = f"It says that it serves {gateway.release} to {count(gateway.sessions, 'session')}. None of them is touched."
    lines = [gateway.state_reason, here, said(closed, "will be")]
    return changes.propose(
        BELIEVE,
        by=by,
        actor=actor,
        now=now,
        subject=f"gateway:{gateway.pk}",
        scope=f"pool:{gateway.pool_id}",
        payload={"gateway": gateway.name, "orders": fleet.orders_ahead(gateway)},
        title=f"Believe {gateway.name}, which is ahead of this database",
        lines=lines,
        warning="Only after a restored backup. Else somebody else gives it orders: find out who first.",
        why=why,
    )


def locked(payload: Mapping[str, Any]) -> None:
    """The rows that change, in the order in which all take them."""
    upgrades = open_on(Gateway.objects.get(name=payload["gateway"]))
    rollouts = Rollout.objects.filter(pk__in=[upgrade.wave.rollout_id for upgrade in upgrades])
    for rows in (rollouts, Upgrade.objects.filter(pk__in=[upgrade.pk for upgrade in upgrades])):
        list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def believed(applied: Applied) -> None:
    """Two people agreed: old plans for it are closed now, and its next answer counts. Nobody is asked in here."""
    name, orders = applied.payload["gateway"], applied.payload["orders"]
    gateway = Gateway.objects.select_for_update().get(name=name)
    _refuse_known(gateway)
    if fleet.orders_ahead(gateway) != orders:
        raise Refused(f"{name} has seen more orders since this was asked. Look at it, and ask again.")
    why = str(applied.request.summary.get("why", ""))
    close_all(gateway, actor=applied.actor, now=applied.now, why=why)
    fleet.believe_next(gateway, actor=applied.actor, now=applied.now, why=why)
    transaction.on_commit(partial(hint.send_home, "upgrader.tasks.look_at", [gateway.pk]))


def _refuse_known(gateway: Gateway) -> None:
    if not fleet.orders_ahead(gateway):
        raise Refused(
            f"{gateway.name} has seen no orders that this database does not know: there is nothing to believe."
        )


def _refuse_no_reason(gateway: Gateway, why: str) -> None:
    if not why.strip():
        raise Refused(f"Say why {gateway.name} is to be believed: it goes on the record.")


def believe(gateway: Gateway, *, actor: Actor, now: datetime, why: str) -> str:
    """Take release, sessions and fence from the gateway, close what old plans wanted there; return what was done."""
    if gateway.state not in (*Gateway.SPOKEN_TO, Gateway.State.QUARANTINED):
        raise Refused(f"{gateway.name} is no gateway of the fleet, so there is nothing to believe.")
    _refuse_no_reason(gateway, why)
    closed = close_all(gateway, actor=actor, now=now, why=why)
    if not fleet.believe(gateway, actor=actor, now=now, why=why):
        raise Refused(f"{gateway.name} does not answer, so it can't be believed yet. Try again when it does.")
    gateway.refresh_from_db()
    return f"{gateway.name} serves {gateway.release}; its orders go on after {gateway.fence}. {said(closed)}"


def close_all(gateway: Gateway, *, actor: Actor, now: datetime, why: str) -> list[int]:
    """Leave the gateway out of all open plans and hold their rollouts; return their ids."""
    with transaction.atomic():
        # The rollouts before anything else, as every request takes them; the record's tail comes last.
        theirs = [upgrade.wave.rollout_id for upgrade in open_on(gateway)]
        list(Rollout.objects.select_for_update().filter(pk__in=theirs).order_by("pk"))
        list(Upgrade.objects.select_for_update().filter(gateway=gateway, state__in=OPEN).order_by("pk"))
        closed = [close(upgrade, actor=actor, now=now, why=why) for upgrade in open_on(gateway)]
        for rollout in Rollout.objects.filter(pk__in=closed):
            hold(rollout, gateway, actor=actor, now=now)
    return closed


def open_on(gateway: Gateway) -> list[Upgrade]:
    """What old plans want there. The one at work first: while it is, no drain beside it can be closed."""
    found = Upgrade.objects.filter(gateway=gateway, state__in=OPEN, wave__rollout__state__in=[*LIVE, R.FAILED])
    return list(found.select_related("gateway", "wave__rollout").order_by("-busy", "pk"))


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


def said(closed: list[int], verb: str = "was") -> str:
    rollouts = ", ".join(f"rollout {pk}" for pk in sorted(set(closed)))
    return (
        f"It {verb} left out of {rollouts}, and what is left of that is held." if closed else "No plan was open there."
    )
