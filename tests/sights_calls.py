"""What waits and what is shouted about: behind a freeze, through a freeze, and balancers whose peers disagree."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from fleet.models import Balancer, BalancerPeer, Gateway
from tests import factories, scenes
from upgrader import bounds, budgets, calls
from upgrader.models import Budget, Freeze, Rollout, Strategy
from upgrader.states import R

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def frozen(name: str, on: str, reason: str) -> scenes.Scene:
    """A rollout in a pool that is frozen now."""
    made = scenes.scene(name, on=on)
    who, since = made.people["operator"], made.now - timedelta(hours=1)
    ends = made.now + timedelta(hours=7)
    Freeze.objects.create(
        pool=made.rollout.pool, reason=reason, starts_at=since, ends_at=ends, made_at=since, made_by=who
    )
    return made


def waiting() -> int:
    """Approved, and nothing begins before the freeze is over."""
    made = frozen("planned", "warsaw", "The books are closed until midnight.")
    scenes.approved(made)
    blocked = bounds.read(made.now).why_not(made.rollout.pool_id)
    say = blocked.say if blocked else ""
    Rollout.objects.filter(pk=made.rollout.pk).update(state=R.UPGRADING, waits=say)
    return made.rollout.pk


def crowded() -> int:
    """Approved, and one gateway of its pool is out, which is all that its budget allows."""
    made = scenes.scene("planned", on="vienna")
    scenes.approved(made)
    pool, first = made.rollout.pool, made.upgrades(1)[0]
    Budget.objects.create(pool=pool, gateways_percent=25, made_at=made.now)
    silent = pool.gateways.exclude(pk=first.gateway_id).order_by("name")[:1]
    Gateway.objects.filter(pk__in=[row.pk for row in silent]).update(state=Gateway.State.UNREACHABLE)
    try:
        with transaction.atomic():
            budgets.demand([first], now=made.now)
    except budgets.NoRoom as full:
        Rollout.objects.filter(pk=made.rollout.pk).update(waits=full.say)
    return made.rollout.pk


def three() -> int:
    """A canary on a gateway whose slot of the rollout before has users yet."""
    made = scenes.scene("observing", on="turin")
    row = made.upgrades(1)[0].gateway
    row.facts = {**row.facts, "slots": [*row.facts["slots"], factories.slot(3, "draining", "1.0.9-1", sessions=5)]}
    row.sessions += 5
    row.save()
    return made.rollout.pk


def emergency() -> int:
    """It passes a freeze: every page shouts, and an alert stands."""
    made = frozen("observing", "tallinn", "The parliament votes online.")
    freeze = Freeze.objects.get(pool=made.rollout.pool)
    patch = Strategy.objects.create(name="tonight", title="Emergency patch", spec={"emergency": True})
    plan = made.rollout.plan | {"passes": [freeze.pk], "spec": made.rollout.plan["spec"] | {"emergency": True}}
    Rollout.objects.filter(pk=made.rollout.pk).update(plan=plan, strategy=patch)
    return made.rollout.pk


def called() -> int:
    """Alerts for what waits for people now; how many."""
    return calls.note(now=timezone.now())


def balancer() -> int:
    """Two peers in front of two gateways; about one of them they disagree."""
    made = scenes.scene("draining", on="geneva")
    first, second = Gateway.objects.filter(pool=made.rollout.pool).order_by("name")[:2]
    server = {"slot": 0, "up": True, "weight": 100, "sessions": 31}
    ready = server | {"name": second.name, "admin": "ready"}
    said = {"name": first.name, "admin": "drain", "weight": 0}
    away = f"{first.name}: lb-1 says ready with weight 100, lb-2 says drain with weight 0."
    seen = {
        first.name: {"peers": [{"name": "lb-2", "servers": [server | said]}], "differences": [away], "sessions": 31},
        second.name: {"peers": [{"name": "lb-1", "servers": [ready]}], "differences": [], "sessions": 31},
    }
    row = Balancer.objects.create(name="front", pool=made.rollout.pool, seen={"gateways": seen}, seen_at=made.now)
    for name, address in (("lb-1", "192.0.2.1"), ("lb-2", "192.0.2.2")):
        BalancerPeer.objects.create(balancer=row, name=name, address=address, key_kind="ssh-ed25519", key=KEY)
    Gateway.objects.filter(pk__in=[first.pk, second.pk]).update(front=row)
    return row.pk
