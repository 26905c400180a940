"""Strategies as their pages show them, and a plan whose pool changed since."""

from __future__ import annotations

from django.utils import timezone

from approvals.models import Actor
from fleet.models import Gateway
from tests import factories
from upgrader import strategy_store

SLOWER = ("observe_seconds: 900", "observe_seconds: 1800")


def strategy() -> int:
    """The four that are shipped, and a second version of one that the operator wrote."""
    people, now = factories.cast(), timezone.now()
    factories.pool()
    strategy_store.load(actor=Actor.machine("manage.py"), now=now)
    by = people["operator"]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    text = strategy_store.shipped()["careful-canary"].replace(*SLOWER)
    return strategy_store.add("careful-canary", text, by=by, actor=actor, now=now)[0].pk


def changed() -> int:
    """A plan that waits for approval; meanwhile one gateway joined, one left, one serves something else."""
    people, now = factories.cast(), timezone.now()
    where = factories.pool("iberia")
    for name, rights in (("operator", factories.OPERATOR), ("oncall", factories.ONCALL)):
        factories.person(name, rights, where)
    for number, sessions in enumerate((4, 31, 12, 27), start=1):
        factories.gateway(f"mad-gw-{number:02}", sessions=sessions, now=now, on=where)
    rollout = factories.draft(people["operator"], to=factories.release("1.3.1-1", counter=1_003_001), now=now, on=where)
    factories.ask(rollout, people["operator"], now=now)
    factories.gateway("lis-gw-01", now=now, on=where)
    Gateway.objects.filter(name="mad-gw-03").update(state=Gateway.State.LEFT)
    Gateway.objects.filter(name="mad-gw-04").update(release="1.2.0-1")
    return rollout.pk
