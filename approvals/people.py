"""From an HTTP request to the person behind it, as the record needs him."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from approvals import trail
from approvals.models import Actor, User


def person(request: HttpRequest) -> User:
    """The one who is signed in; the middleware lets nobody else through to views that ask."""
    return cast("User", request.user)


def actor(request: HttpRequest) -> Actor:
    """Who does it, from where, in which request. The address is the one of the connection: headers can be made up."""
    user = person(request)
    ip = str(request.META.get("REMOTE_ADDR", ""))
    request_id = str(trail.told().get("request") or trail.new_id())
    return Actor(kind="person", name=user.get_username(), user_id=user.pk, ip=ip, request_id=request_id)
