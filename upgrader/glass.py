"""Breaking the glass on what a rollout asks: one person starts it, takes it back or lets users be cut, alone.

All that is checked beside the yes is checked here, too: what runs, on which gateways, with which configuration.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.urls import reverse

from approvals import breakglass
from approvals import rights as rights_of
from approvals.breakglass import Breaking
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet.phrases import count
from upgrader import bounds, drains, engine, rights, services, taking_back
from upgrader.asking import hint_all
from upgrader.models import Rollout
from upgrader.reach import lock

WHAT = {"start": "approve", "back": "agree_back", "cut": "agree_cut"}
"""What is done alone → the action whose right it takes besides the right to break the glass."""


def break_glass(rollout: Rollout, what: str, *, reason: str, digest: str, actor: Actor, now: datetime) -> None:
    """Do alone what waits for a second person. Refused with what is missing, or where nothing waits."""
    if what not in WHAT:
        raise Refused("There is nothing of that name to be done alone.")
    person = rights.demand(actor, WHAT[what], rollout.pool)
    request = asked(rollout, what)
    if request is None or request.state != Request.State.OPEN:
        raise Refused("Nothing waits for a second person here. Look at it again.")
    breaking = Breaking(title(rollout, request), reverse("rollout", args=[rollout.pk]), reason, digest)

    def answer() -> None:
        breakglass.use(request, breaking, by=person, actor=actor, now=now)

    match what:
        case "start":
            services.check_yes(rollout, person, reason, actor=actor, now=now)
            with transaction.atomic():
                answer()
                bounds.record_pass(rollout, actor=actor, now=now)
            hint_all(engine.advance(rollout.pk, now=now), rollout.pk)
        case "back":
            taking_back.agree(rollout, request, answer, actor=actor, now=now)
        case _:
            with transaction.atomic():
                lock(rollout)
                answer()
                drains.allow(rollout, request, actor=actor, now=now)


def asked(rollout: Rollout, what: str) -> Request | None:
    match what:
        case "start":
            return rollout.request
        case "back":
            return rollout.back_request
    return drains.asked(rollout)


def waiting(rollout: Rollout, person: User, *, now: datetime) -> tuple[str, Request] | None:
    """What this person could do alone now: its name and the question; None where nothing waits or he may not."""
    if not rights_of.may(person, breakglass.RIGHT, rights_of.EVERYTHING):
        return None
    for what, action in WHAT.items():
        request = asked(rollout, what)
        is_open = request is not None and request.state == Request.State.OPEN and now < request.expires_at
        if request is not None and is_open and rights.may(person, action, rollout.pool):
            return what, request
    return None


def title(rollout: Rollout, request: Request) -> str:
    """What is done, with the numbers: "Start ocserv 1.3.0-2 on 12 gateways in eu-west"."""
    release, pool = f"{rollout.release.product} {rollout.release.name}", rollout.pool.name
    if request.kind == services.KIND:
        number = sum(len(wave["gateways"]) for wave in rollout.plan["waves"])
        return f"Start {release} on {count(number, 'gateway')} in {pool}"
    if request.kind == drains.KIND:
        return f"Cut {count(int(request.summary['users']), 'user')} in {pool}"
    return f"Roll back {count(len(request.summary['gateways']), 'gateway')} in {pool}"
