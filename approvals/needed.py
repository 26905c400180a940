"""Doors that want a right over everything: who lacks it is told which one, and who has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from approvals import rights
from approvals.models import User
from approvals.people import person

NAMED = 3  # holders of the right who are named
View = Callable[..., HttpResponse]


def needs(permission: str) -> Callable[[View], View]:
    """Let only those in who have "app.codename"."""

    def around(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not rights.everywhere(person(request), permission):
                raise PermissionDenied(lacking(permission))
            return view(request, *args, **kwargs)

        return checked

    return around


def lacking(*permissions: str) -> str:
    """What is missing, and a way on: any of these rights would do."""
    *before, last = [f"“{rights.said(permission)}”" for permission in permissions]
    named = f"{', '.join(before)} or {last}" if before else last
    return f"This needs the right {named}. {_holders(*permissions)}"


def _holders(*permissions: str) -> str:
    wanted = Q()
    for permission in permissions:
        app, _, codename = permission.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    found = Permission.objects.filter(wanted)
    people = User.objects.filter(Q(user_permissions__in=found) | Q(groups__permissions__in=found), is_active=True)
    names = list(people.order_by("username").values_list("username", flat=True).distinct()[: NAMED + 1])
    if not names:
        return "Nobody has it yet: ask whoever runs this dashboard."
    told = ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")
    return f"Ask somebody who has it ({told}), or ask whoever runs this dashboard for the right."
