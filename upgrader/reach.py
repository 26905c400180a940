"""What a rollback reaches and whom it cuts, and the question about one: what both a person's and the machine's need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Q

from approvals import services as approvals
from approvals.models import Actor, Request
from upgrader.back import STAYS, GoesBack
from upgrader.decide import NEEDS_ROLLBACK
from upgrader.flow import INCOMING, OUTGOING
from upgrader.models import Rollout, StepRun, Upgrade, Wave
from upgrader.see import Looked
from upgrader.states import S, U

KIND = "rollout.rollback"
DECIDE_WITHIN = timedelta(hours=2)
Action = Literal["roll_back", "abort", "rest"]
"""rest: what a verdict could not take back alone, because the old slot is retired."""
CUT = "drain.cut"


def lock(rollout: Rollout) -> None:
    """Rows before the record's tail, as every other writer takes them: the other way round is a deadlock."""
    Rollout.objects.select_for_update().filter(pk=rollout.pk).first()
    for rows in (Wave.objects.filter(rollout=rollout), Upgrade.objects.filter(wave__rollout=rollout)):
        list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def reached(looked: Looked, action: Action) -> list[Upgrade]:
    """What goes back: all that was touched; of an abort only where the old slot is still there."""
    touched = [upgrade for upgrade in looked.upgrades.values() if U(upgrade.state) in NEEDS_ROLLBACK]
    match action:
        case "roll_back":
            return touched
        case "abort":
            # Between two pools both sides go back: one alone would leave them both open.
            return [it for it in touched if U(it.state) not in STAYS or it.way in (INCOMING, OUTGOING)]
    theirs = {upgrade.id for wave in looked.seen.waves for upgrade in wave.upgrades if upgrade.overtaken}
    return [it for it in touched if it.old_retired_at is not None and it.pk not in theirs]


def going_back(looked: Looked, action: Action) -> list[GoesBack]:
    """The gateways of a rollback as the question names them."""
    back = reached(looked, action)
    serving = exchanged(back)
    return [
        GoesBack(
            id=upgrade.gateway_id,
            name=upgrade.gateway.name,
            to=upgrade.from_release,
            from_slot=upgrade.from_slot or 0,
            to_slot=upgrade.to_slot or 0,
            gone=upgrade.old_retired_at is not None,
            cut=cut_of(upgrade, serving),
            sessions=upgrade.gateway.sessions,
        )
        for upgrade in back
    ]


def cut_of(upgrade: Upgrade, serving: Collection[int]) -> int | None:
    if upgrade.way != "in_place":
        return None
    return upgrade.gateway.sessions if upgrade.pk in serving else 0


def exchanged(upgrades: Sequence[Upgrade]) -> set[int]:
    """Ids of those in place on which the new release serves, or may by now: going back cuts who is on it."""
    rows = [upgrade for upgrade in upgrades if upgrade.way == "in_place"]
    if not rows:
        return set()
    may = Q(name="replace", state__in=[S.DUE, S.CLAIMED]) | Q(name="restore", state=S.FAILED)
    steps = StepRun.objects.filter(may, upgrade__in=rows)
    return {upgrade.pk for upgrade in rows if upgrade.kept is not None} | set(
        steps.values_list("upgrade_id", flat=True)
    )


def drop_question(rollout: Rollout, *, reason: str, actor: Actor, now: datetime) -> None:
    """A question whose answer nobody needs any more."""
    request = rollout.back_request
    if request is not None and request.state == Request.State.OPEN:
        approvals.void(request, reason=reason, actor=actor, now=now)


def drop_cuts(rollout: Rollout, *, reason: str, actor: Actor, now: datetime) -> None:
    """The same for the question about cutting users."""
    asked = Request.objects.filter(kind=CUT, subject=f"rollout:{rollout.pk}", state=Request.State.OPEN)
    for request in asked:
        approvals.void(request, reason=reason, actor=actor, now=now)
