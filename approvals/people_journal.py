"""The only writer of who holds which role: of role groups, their rights and their members. Each with its event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from guardian.shortcuts import assign_perm, get_group_perms, remove_perm

from approvals import audit, rights
from approvals.errors import Refused
from approvals.models import Actor, RoleGroup, User
from approvals.roles import ADMINISTRATOR, EVERYTHING, ROLES, kind_of

Member = User.groups.through


def give(person: User, role: str, scope: str, *, actor: Actor, now: datetime, why: str) -> bool:
    """Let the person hold the role there; False where he does already."""
    with transaction.atomic():
        stands = group_for(role, scope)
        _, is_new = Member.objects.get_or_create(user=person, group=stands.group)
        if is_new:
            _tell("role.given", person, stands, actor=actor, now=now, why=why)
    return is_new


def take(person: User, role: str, scope: str, *, actor: Actor, now: datetime, why: str) -> bool:
    """Take the role away; False where the person does not hold it. Refused for the last administrator of everything."""
    with transaction.atomic():
        stands = RoleGroup.objects.select_for_update().filter(role=role, scope=scope).first()
        if stands is None or not Member.objects.filter(user=person, group=stands.group_id).delete()[0]:
            return False
        if (role, scope) == (ADMINISTRATOR, EVERYTHING) and not administrators():
            raise Refused(f"{person.username} is the last administrator. Give the role to somebody else first.")
        _tell("role.taken", person, stands, actor=actor, now=now, why=why)
    return True


def administrators() -> list[User]:
    """Those who may give every role."""
    held = {"groups__stands_for__role": ADMINISTRATOR, "groups__stands_for__scope": EVERYTHING}
    return list(User.objects.filter(is_active=True, **held).order_by("username"))


def group_for(role: str, scope: str) -> RoleGroup:
    """The group that stands for the role there, made with its rights where there is none yet."""
    found = RoleGroup.objects.select_related("group").filter(role=role, scope=scope).first()
    if found is not None:
        return found
    group, _ = Group.objects.get_or_create(name=f"{role}:{scope}")
    made, _ = RoleGroup.objects.get_or_create(role=role, scope=scope, defaults={"group": group})
    fit(made)
    return made


def fit(stands: RoleGroup) -> None:
    """Make the group's rights what approvals/roles.py says, no more and no less: a release may bring other roles."""
    kind, role = kind_of(stands.scope), ROLES.get(stands.role)
    wanted = role.rights(kind) if role else frozenset()
    row = rights.find(stands.scope)
    there = _about(row) if row is not None else {}
    stands.group.permissions.set([known for right in wanted - set(there) if (known := _permission(right))])
    if row is None:
        return
    held = {str(name) for name in get_group_perms(stands.group, row)}
    named = {there[right] for right in wanted & set(there)}
    for name in named - held:
        assign_perm(name, stands.group, row)
    for name in held - named:
        remove_perm(name, stands.group, row)


def fit_all(**_: Any) -> None:
    """After each migration: the rights of all role groups. On the way to a release without them there are none."""
    if RoleGroup._meta.db_table not in connection.introspection.table_names():
        return
    for stands in RoleGroup.objects.select_related("group"):
        fit(stands)


def _about(row: Any) -> dict[str, str]:
    """The rights that can be granted on such a row: "app.codename" → codename."""
    label = row._meta.label_lower.split(".")
    names = Permission.objects.filter(content_type__app_label=label[0], content_type__model=label[1])
    return {f"{label[0]}.{codename}": codename for codename in names.values_list("codename", flat=True)}


def _permission(right: str) -> Permission | None:
    app, _, codename = right.partition(".")
    return Permission.objects.filter(content_type__app_label=app, codename=codename).first()


def _tell(verb: str, person: User, stands: RoleGroup, *, actor: Actor, now: datetime, why: str) -> None:
    about = {"person": person.username, "role": stands.role, "scope": stands.scope, "where": rights.named(stands.scope)}
    audit.append(verb, subject=f"person:{person.pk}", actor=actor, at=now, reason=why, details=about)
