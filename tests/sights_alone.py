"""Rows for what one person did alone, for policies of a place, and for who decides in whose place."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import Permission
from django.utils import timezone

from approvals import delegation
from approvals.delegation import Hand
from approvals.models import Actor, ApprovalPolicy, BreakGlass, User
from tests import factories
from tests.scenes import scene
from upgrader import glass


def who(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk, strength="passkey")


def policies() -> int:
    """A stricter policy of one pool, and somebody who decides for another."""
    people, now = factories.cast(), timezone.now()
    asks, agrees = people["operator"], people["oncall"]
    asks.user_permissions.add(*Permission.objects.filter(codename="add_approvalpolicy"))
    needs = [{"count": 1, "of": ""}, {"count": 1, "of": "oncall"}]
    ApprovalPolicy.objects.create(
        kind="rollout.start",
        scope=f"pool:{factories.pool().pk}",
        version=1,
        spec={"needs": needs, "not_signer": True, "step_up": "passkey", "decide_minutes": 120},
        made_by=asks,
        agreed_by=agrees,
        made_at=now - timedelta(days=2),
        why="The auditors ask for two of them here.",
    )
    hand = Hand(people["auditor"], "all", now, now + timedelta(hours=8), "I am on a plane until the evening.")
    return delegation.give(hand, by=agrees, actor=who(agrees), now=now).pk


def alone() -> int:
    """A start without a second person, which waits for its review."""
    made = scene("waiting_approval", on="kyoto")
    by = made.people["operator"]
    by.user_permissions.add(Permission.objects.get(codename="break_glass"))
    factories.person("operator", ("approve_rollout",), made.rollout.pool)
    said = {"reason": "The old release lets nobody in since 02:40.", "digest": made.rollout.digest}
    glass.break_glass(made.rollout, "start", actor=who(by), now=made.now, **said)
    return BreakGlass.objects.latest("pk").pk
