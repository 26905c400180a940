"""Rows for pages that show no rollout. `sight(name)` makes them and returns the id that the page's address wants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from approvals import keys
from approvals.models import Actor, ApproverKey
from tests import factories

OPERATORS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqIa3bA5rLXXlGWlLaFoA3Y0TpqFLNCFCt8mwbQBGwN"
ONCALLS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJ4gMkDyYB3vV6cXw0Yj9s4Eo6vJrmQJd2bWqv1kQ7a"


def change() -> int:
    """The operator asks for a key of his; on-call has one."""
    people = factories.cast()
    key, shown = keys.parsed(ONCALLS)
    ApproverKey.objects.create(
        user=people["oncall"], public_key=key, fingerprint=shown, added_at=timezone.now() - timedelta(days=40)
    )
    by = people["operator"]
    actor = Actor(kind="person", name=by.username, user_id=by.pk)
    return keys.propose(OPERATORS, by=by, actor=actor, now=timezone.now()).pk


SIGHTS: dict[str, Callable[[], int]] = {make.__name__: make for make in (change,)}
