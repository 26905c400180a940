"""Two pools behind one balancer: the plan of a switch, and one that is being watched."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from approvals.models import User
from fleet.models import Balancer, Gateway, Pool
from tests import factories
from upgrader import services
from upgrader.models import Rollout, Strategy, Upgrade
from upgrader.states import Outcome, R, S, U, W

SPEC: dict[str, Any] = {
    "kind": "blue_green",
    "waves": [{"title": "the idle pool", "rest": True}],
    "on_fail": "rollout",
}
USERS = (41, 38, 0, 0)


def switch() -> int:
    """A plan that nobody has submitted yet."""
    return _drafted("lyon", "1.3.7-1", timezone.now()).pk


def switched() -> int:
    """New users go to green since a while; those of blue stay."""
    now = timezone.now()
    rollout = _drafted("nice", "1.3.8-1", now)
    factories.put(rollout, R.UPGRADING, "Approved; wave 1 starts.", at=now - timedelta(minutes=9))
    wave = rollout.waves.get()
    factories.put_wave(wave, W.OBSERVING, at=now - timedelta(minutes=6), observe_until=now + timedelta(minutes=9))
    for upgrade in Upgrade.objects.filter(wave=wave).select_related("gateway"):
        _watched(upgrade, now)
    factories.verdict(wave, Outcome.PASS, "0 of 96 logins failed on 1.3.8-1, 0 of 96 on 1.1.6-2.", at=now)
    return rollout.pk


def _watched(upgrade: Upgrade, now: datetime) -> None:
    at = now - timedelta(minutes=6)
    if upgrade.way == "outgoing":
        before = [f"{upgrade.gateway.name}-{number}" for number in range(upgrade.gateway.sessions)]
        said: dict[str, Any] = {"from_slot": 1, "to_slot": 1, "before": before, "kept": len(before)}
    else:
        said = {"from_slot": 1, "to_slot": 2, "kept": 0}
        factories.two_slots(upgrade, old=0, new=7, weight=100, now=now)
    factories.put_upgrade(upgrade, U.OBSERVING, at=at, **said)
    factories.step(upgrade, "shift", at=at)
    factories.step(upgrade, "observe", S.DUE, at=now)


def _drafted(where: str, name: str, now: datetime) -> Rollout:
    strategy, by, green = _site(where, now)
    release = factories.release(name, counter=int(name[4]) + 1_003_000)
    return services.draft(release=release, pool=green, strategy=strategy, by=by, now=now)


def _site(where: str, now: datetime) -> tuple[Strategy, User, Pool]:
    people = factories.cast()
    blue, green = (factories.pool(f"{where}-{colour}") for colour in ("blue", "green"))
    for name, rights in (("operator", factories.OPERATOR), ("oncall", factories.ONCALL)):
        for pool in (blue, green):
            factories.person(name, rights, pool)
    front = Balancer.objects.create(name=where, pool=blue, seen_at=now)
    front.shared_with.add(green)
    seen: dict[str, Any] = {"gateways": {}, "say": ""}
    for number, sessions in enumerate(USERS, start=1):
        row = factories.gateway(
            f"{where[:3]}-gw-{number:02}", sessions=sessions, now=now, on=blue if sessions else green
        )
        Gateway.objects.filter(pk=row.pk).update(front=front, backend="vpn", servers={"": row.name})
        seen["gateways"][row.name] = _said(row.name, sessions)
    Balancer.objects.filter(pk=front.pk).update(seen=seen)
    how = {"title": "Blue-green between pools", "spec": SPEC | {"between": [blue.name, green.name]}}
    return Strategy.objects.create(name=where, **how), people["operator"], green


def _said(name: str, sessions: int) -> dict[str, Any]:
    server = {"slot": 0, "name": name, "admin": "ready", "up": True, "weight": 100 if sessions else 0}
    peer = {"name": "lb-1", "version": "2.6", "servers": [server | {"sessions": sessions}]}
    return {"peers": [peer], "differences": [], "sessions": sessions}
