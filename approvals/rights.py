"""Who holds which right, on everything ("all") or on one object ("pool:3"). Being a superuser is no right.

The apps above say which rows a scope can name: SCOPES["pool"] = Pool, in their AppConfig.ready.
"""

from __future__ import annotations

from typing import cast

from django.contrib.auth.models import Permission
from django.db.models import Model, Q
from guardian.core import ObjectPermissionChecker

from approvals.models import User

EVERYTHING = "all"
SCOPES: dict[str, type[Model]] = {}
"""Kind of scope → model whose rows it names."""


def may(person: User, permission: str, scope: str) -> bool:
    """Whether the person, or a group of his, was granted "app.codename" on the scope; granted on all is on each."""
    if not person.is_active:
        return False
    app, _, codename = permission.partition(".")
    named = Permission.objects.filter(content_type__app_label=app, codename=codename)
    if named.filter(Q(user=person) | Q(group__user=person)).exists():
        return True
    row = _row(scope)
    if row is None:
        return False
    checker = ObjectPermissionChecker(person)
    # get_perms gives a superuser everything; these two read what was granted.
    granted = {*cast("list[str]", checker.get_user_perms(row)), *cast("list[str]", checker.get_group_perms(row))}
    return codename in granted


def said(permission: str) -> str:
    """What people call the right "app.codename": the name that it has where rights are given."""
    app, _, codename = permission.partition(".")
    row = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    return row.name if row else permission


def _row(scope: str) -> Model | None:
    """Return what the scope names; None for everything, for what is gone and for what can't be read."""
    kind, _, key = scope.partition(":")
    model = SCOPES.get(kind)
    return model._default_manager.filter(pk=key).first() if model and key.isdigit() else None
