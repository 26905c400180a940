"""What becomes of a drain whose time is over: one person gives it more hours, or two agree to cut the users who are
left, by their number. More than that number when it is used: nobody is cut, and it is asked again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from approvals import audit
from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import Actor, Request
from fleet.phrases import clock, count
from upgrader import asking, live, policy_kinds, rights
from upgrader.late import late, open_steps
from upgrader.models import Rollout, Upgrade
from upgrader.reach import lock
from upgrader.states import S, U

KIND = "drain.cut"
DECIDE_WITHIN = timedelta(hours=2)
HOURS = (1, 168)


def overdue(rollout: Rollout, now: datetime) -> list[Upgrade]:
    """Gateways whose drain's time is over and that wait for people."""
    rows = late(now).filter(wave__rollout=rollout)
    return list(rows.select_related("gateway", "wave", "cut_request").order_by("gateway__name"))


def left_on(upgrades: Sequence[Upgrade]) -> dict[int, int]:
    """Upgrade id → users who are left, as the drain last counted them; those that were not counted are missing."""
    steps = open_steps().filter(upgrade__in=upgrades)
    counted = steps.values_list("upgrade_id", "result__sessions")
    return {pk: int(sessions) for pk, sessions in counted if sessions is not None}


def extend(
    rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime, hours: int | None = None
) -> None:
    """Let every drain whose time is over go on for so many hours. One person is enough: nobody is cut."""
    asking.check_asked(rollout, "extend", actor=actor, seen_version=seen_version)
    if hours is None or not HOURS[0] <= hours <= HOURS[1]:
        raise Refused(f"Say for how many hours: from {HOURS[0]} to {HOURS[1]}.")
    with transaction.atomic():
        lock(rollout)
        over = overdue(rollout, now)
        if not over:
            raise Refused("No drain of this rollout is over its time, so there is nothing to extend.")
        until = now + timedelta(hours=hours)
        for upgrade in over:
            planned = cut_planned(rollout, upgrade)
            more = {"drain_until": until, "drain_extended": F("drain_extended") + 1, "cut_at_most": planned}
            Upgrade.objects.filter(pk=upgrade.pk).update(**more, cut_request=None)
        for request in open_questions(over):
            approvals.void(request, reason="The drain goes on.", actor=actor, now=now)
        details = {"rollout": rollout.pk, "until": until, "gateways": [upgrade.gateway.name for upgrade in over]}
        said = reason or f"{count(len(over), 'drain')} until {clock(until, now)}."
        audit.append(
            "drain.extended", subject=f"rollout:{rollout.pk}", actor=actor, at=now, reason=said, details=details
        )
        live.publish(f"rollout:{rollout.pk}")
        live.publish("inbox")


def ask_cut(rollout: Rollout, *, actor: Actor, seen_version: int, reason: str, now: datetime) -> Request:
    """Ask a second person to cut the users who are on these old slots now, by their number on each gateway."""
    person = asking.check_asked(rollout, "ask_cut", actor=actor, seen_version=seen_version)
    if not reason.strip():
        raise Refused("Say why users may be cut: it goes on the record.")
    with transaction.atomic():
        # Rows before the record's tail, as every other writer takes them: the other way round is a deadlock.
        lock(rollout)
        over = overdue(rollout, now)
        left = left_on(over)
        named = [upgrade for upgrade in over if left.get(upgrade.pk)]
        if not named:
            raise Refused("No drain of this rollout is over its time with users on it, so there is nobody to cut.")
        cuts = [cut_of(upgrade, left[upgrade.pk]) for upgrade in named]
        request = approvals.ask(
            kind=KIND,
            subject=f"rollout:{rollout.pk}",
            scope=f"pool:{rollout.pool_id}",
            permission="fleet.approve_rollout",
            digest=digest_of(rollout.pk, cuts),
            summary={"rollout": rollout.pk, "cuts": cuts, "users": sum(left.values()), "why": reason},
            scopes=policy_kinds.scopes(rollout),
            by=person,
            now=now,
            actor=actor,
            decide_within=DECIDE_WITHIN,
        )
        Upgrade.objects.filter(pk__in=[upgrade.pk for upgrade in named]).update(cut_request=request)
        about = {"rollout": rollout.pk, "request": request.pk, "cuts": cuts}
        audit.append(
            "drain.cut_asked", subject=f"rollout:{rollout.pk}", actor=actor, at=now, reason=reason, details=about
        )
        live.publish(f"rollout:{rollout.pk}")
    return request


def decide_cut(rollout: Rollout, *, yes: bool, reason: str, digest: str, actor: Actor, now: datetime) -> None:
    """One person's yes or no to cutting users that somebody else asked to cut. The yes names the number on each."""
    person = rights.demand(actor, "agree_cut" if yes else "refuse_cut", rollout.pool)
    request = asked(rollout)
    if request is None:
        raise Refused("Nobody asked to cut users of this rollout, so there is nothing to decide.")
    if yes and not rights.holds(request.requested_by, "ask_cut", rollout.pool):
        raise Refused(f"{request.requested_by.username} asked for this and may not hold any more. Say no to it.")
    with transaction.atomic():
        lock(rollout)
        approvals.decide(
            request, by=person, yes=yes, reason=reason, digest=digest, has_right=True, now=now, actor=actor
        )
        if yes:
            allow(rollout, request, actor=actor, now=now)
        live.publish(f"rollout:{rollout.pk}")


def allow(rollout: Rollout, request: Request, *, actor: Actor, now: datetime) -> None:
    """Write the numbers to the gateways' rows and ask the drains at once. Inside a transaction."""
    cuts = {int(cut["id"]): int(cut["users"]) for cut in request.summary["cuts"]}
    named = late(now).filter(pk__in=cuts, cut_request=request)
    if named.count() != len(cuts):
        raise Refused("Drains that this names have ended or go on since it was asked. Ask again.")
    for pk, users in cuts.items():
        Upgrade.objects.filter(pk=pk).update(cut_at_most=users)
    steps = open_steps().filter(upgrade__in=cuts, state=S.DUE)
    steps.update(due_at=now)
    details = {"rollout": rollout.pk, "cuts": request.summary["cuts"], "request": request.pk}
    said = f"{count(sum(cuts.values()), 'user')} may be cut on {count(len(cuts), 'gateway')}."
    audit.append("drain.cut_agreed", subject=f"rollout:{rollout.pk}", actor=actor, at=now, reason=said, details=details)
    asking.hint_all(list(steps), rollout.pk)


def cut_planned(rollout: Rollout, upgrade: Upgrade) -> int:
    """Users who may be cut there by what the plan says: none on an old slot, the named number in place."""
    if upgrade.state != U.UPGRADING:
        return 0
    entries = (entry for wave in rollout.plan["waves"] for entry in wave["gateways"])
    return next((int(entry.get("cut", 0)) for entry in entries if entry["id"] == upgrade.gateway_id), 0)


def asked(rollout: Rollout) -> Request | None:
    """The newest question about cutting users of this rollout."""
    asked = Request.objects.filter(kind=KIND, subject=f"rollout:{rollout.pk}").select_related("requested_by")
    return asked.order_by("-requested_at", "-pk").first()


def open_questions(upgrades: Sequence[Upgrade]) -> list[Request]:
    found = {it.cut_request.pk: it.cut_request for it in upgrades if it.cut_request}
    return [request for request in found.values() if request.state == Request.State.OPEN]


def cut_of(upgrade: Upgrade, users: int) -> dict[str, Any]:
    return {"id": upgrade.pk, "name": upgrade.gateway.name, "slot": upgrade.from_slot, "users": users}


def digest_of(rollout: int, cuts: Sequence[dict[str, Any]]) -> str:
    """SHA-256 over the exact gateways, slots and numbers of users."""
    said = json.dumps({"rollout": rollout, "cuts": list(cuts)}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()
