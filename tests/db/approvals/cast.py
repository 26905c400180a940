"""The cast: Mo asks, Li and Kim may approve, Ada may only look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from approvals import services
from approvals.models import Actor, Request, User

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DIGEST, OTHER = "a" * 64, "b" * 64


def person(name: str) -> User:
    return User.objects.get_or_create(username=name.lower(), defaults={"first_name": name})[0]


def actor(user: User) -> Actor:
    return Actor(kind="person", name=user.username, user_id=user.pk, ip="192.0.2.1")


def ask(by: str = "Mo", **changes: Any) -> Request:
    question: dict[str, Any] = {
        "kind": "rollout.start",
        "subject": "rollout:12",
        "scope": "pool:3",
        "permission": "approve_rollout",
        "digest": DIGEST,
        "summary": {"release": "1.3.0-2"},
        "now": NOW,
    }
    return services.ask(by=person(by), **{**question, **changes})


def decide(request: Request, name: str = "Li", **changes: Any) -> Request:
    by = person(name)
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": DIGEST, "has_right": True, "now": NOW}
    return services.decide(request, by=by, actor=actor(by), **{**said, **changes})
