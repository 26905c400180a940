"""Who holds which right, on everything ("all") or on one object ("pool:3"). Being a superuser is no right.

The apps above say which rows a scope can name: SCOPES["pool"] = Pool. Their rights are django-guardian's rows with a
foreign key of their own, so a deleted pool leaves none behind for the next one with its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from django.contrib.auth.models import Group, Permission
from django.db.models import Exists, Manager, Model, Q, QuerySet, prefetch_related_objects
from django.utils import timezone
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from approvals import duty, reading
from approvals.models import User
from approvals.roles import ANYTIME
from approvals.roles import EVERYTHING as EVERYTHING

SCOPES: dict[str, type[Model]] = {}
"""Kind of scope → model whose rows it names."""
M = TypeVar("M", bound=Model)


def may(person: User, permission: str, scope: str) -> bool:
    """Whether the person, or a group of his, was granted "app.codename" on the scope; granted on all is on each.

    A role by shift counts during the shift only; what was said in it is asked with `holds` later.
    """
    return person.is_active and _granted(_groups(person, permission), person, permission, scope)


def holds(person: User, permission: str, scope: str) -> bool:
    """As `may`, but on shift or not: for a word that was given in time and has to stand when the shift is over."""
    return person.is_active and _granted(Group.objects.filter(user=person), person, permission, scope)


def everywhere(person: User, permission: str) -> bool:
    """Whether the person holds the right over everything."""
    return may(person, permission, EVERYTHING)


def rows(person: User, permission: str, model: type[M]) -> QuerySet[M]:
    """The rows of a scope's model on which the person holds the right. All lists of what one may see come from here."""
    groups, (app, _, codename) = _groups(person, permission), permission.partition(".")
    named = {"permission__content_type__app_label": app, "permission__codename": codename}
    own = _own(model).filter(user=person, **named).values("content_object")
    shared = _shared(model).filter(group__in=groups, **named).values("content_object")
    anywhere = Exists(_over_all(groups, person, permission))
    return model._default_manager.filter(Q(pk__in=own) | Q(pk__in=shared) | anywhere)


def held(person: User, scope: str) -> frozenset[str]:
    """Every "app.codename" that the person holds on the scope now, those over everything too."""
    if not person.is_active:
        return frozenset()
    return reading.once(("held", person.pk, scope), lambda: _held(person, scope))


def _held(person: User, scope: str) -> frozenset[str]:
    every = Group.objects.filter(user=person)
    found = frozenset(_names(_groups(person, ""), person, scope))
    return found | (ANYTIME & frozenset(_names(every, person, scope))) if _resting(person) else found


def outside_roles(person: User, kind: str) -> set[tuple[str, str]]:
    """What the person was granted one by one on rows of this kind of scope: the right's name, and where."""
    model = SCOPES[kind]
    plain = Group.objects.filter(user=person, stands_for=None)
    rows = [*_own(model).filter(user=person), *_shared(model).filter(group__in=plain)]
    prefetch_related_objects(rows, "permission", "content_object")
    return {(row.permission.name, str(row.content_object)) for row in rows}


def said(permission: str) -> str:
    """What people call the right "app.codename": the name that it has where rights are given."""
    app, _, codename = permission.partition(".")
    row = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    return row.name if row else permission


def named(scope: str) -> str:
    """What people call the scope."""
    row = find(scope)
    return str(row) if row is not None else "everything" if scope == EVERYTHING else scope


def find(scope: str) -> Model | None:
    """Return what the scope names; None for everything, for what is gone and for what can't be read."""
    kind, _, key = scope.partition(":")
    model = SCOPES.get(kind)
    return model._default_manager.filter(pk=key).first() if model and key.isdecimal() and len(key) < 19 else None


def _own(model: type[Model]) -> Manager[Any]:
    """django-guardian's rows of what was granted to people themselves; it says Model where it takes a class of them."""
    return cast("Manager[Any]", get_user_obj_perms_model(cast("Any", model))._default_manager)


def _shared(model: type[Model]) -> Manager[Any]:
    """Those of what was granted to groups."""
    return cast("Manager[Any]", get_group_obj_perms_model(cast("Any", model))._default_manager)


def _groups(person: User, permission: str) -> QuerySet[Group]:
    """The person's groups that count for this right now."""
    groups = Group.objects.filter(user=person)
    if permission in ANYTIME:
        return groups
    resting = _resting(person)
    return groups.exclude(pk__in=resting.values()) if resting else groups


def _resting(person: User) -> Mapping[str, int]:
    """The person's roles by shift that do not count now: where → the group."""
    return reading.once(("resting", person.pk), lambda: duty.resting(person, timezone.now()))


def _granted(groups: QuerySet[Group], person: User, permission: str, scope: str) -> bool:
    if _over_all(groups, person, permission).exists():
        return True
    kind, _, key = scope.partition(":")
    model = SCOPES.get(kind)
    if model is None or not key.isdecimal() or len(key) > 18:
        return False
    app, _, codename = permission.partition(".")
    about = {"content_object": key, "permission__content_type__app_label": app, "permission__codename": codename}
    own = _own(model).filter(user=person, **about)
    return own.exists() or _shared(model).filter(group__in=groups, **about).exists()


def _over_all(groups: QuerySet[Group], person: User, permission: str) -> QuerySet[Permission]:
    app, _, codename = permission.partition(".")
    # Written as two sub-selects: the join over users and groups would give each permission once a member.
    mine = Q(pk__in=User.user_permissions.through.objects.filter(user=person).values("permission"))
    shared = Q(pk__in=Group.permissions.through.objects.filter(group__in=groups).values("permission"))
    return Permission.objects.filter(mine | shared, content_type__app_label=app, codename=codename)


def _names(groups: QuerySet[Group], person: User, scope: str) -> list[str]:
    mine = User.user_permissions.through.objects.filter(user=person).values("permission")
    shared = Group.permissions.through.objects.filter(group__in=groups).values("permission")
    wanted = Q(pk__in=mine) | Q(pk__in=shared)
    kind, _, key = scope.partition(":")
    if (model := SCOPES.get(kind)) is not None and key.isdecimal():
        own = _own(model).filter(user=person, content_object=key)
        theirs = _shared(model).filter(group__in=groups, content_object=key)
        wanted |= Q(pk__in=own.values("permission")) | Q(pk__in=theirs.values("permission"))
    found = Permission.objects.filter(wanted).values_list("content_type__app_label", "codename")
    return [f"{app}.{codename}" for app, codename in found]
