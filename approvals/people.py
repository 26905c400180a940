"""From an HTTP request to the person behind it, as the record needs him."""

from __future__ import annotations

import time
from typing import cast

from django.conf import settings
from django.http import HttpRequest

from approvals import step_up, trail, where
from approvals.models import Actor, User


def person(request: HttpRequest) -> User:
    """The one who is signed in; the middleware lets nobody else through to views that ask."""
    return cast("User", request.user)


def actor(request: HttpRequest) -> Actor:
    """Who does it, from where, in which request, and by what he last proved himself."""
    user = person(request)
    ip = where.address(request.META, settings.PROXIES)
    request_id = str(trail.told().get("request") or trail.new_id())
    proof = step_up.proof(request)
    return Actor(
        kind="person",
        name=user.get_username(),
        user_id=user.pk,
        ip=ip,
        request_id=request_id,
        strength=proof.strength if proof and proof.fresh(proof.strength, time.time()) else "",
        proven=proof.said() if proof else "",
    )
