"""What the page People and the page of one person show. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Permission
from django.db.models import Model, Q

from approvals import people_journal, people_services, rights
from approvals.models import RoleGroup, User
from approvals.people_services import GIVE
from approvals.roles import ALL, CHANNEL, EVERYTHING, POOL, ROLES, Role, kind_of
from approvals.selectors import told_of

MOST = 200


@dataclass(frozen=True)
class Held:
    """One role that a person holds somewhere."""

    role: Role
    scope: str
    where: str
    may_take: bool


@dataclass(frozen=True)
class Row:
    """One person of the page."""

    person: User
    held: tuple[Held, ...]


def list_context(user: User, wish: str) -> dict[str, Any]:
    """The context of people/people_list.html. `wish`: a part of a name."""
    found = rows(user, wish)
    return {
        "rows": found[:MOST],
        "more": len(found) > MOST,
        "q": wish,
        "roles": ALL,
        "may_give": bool(scopes_to_give(user)),
        "alone": [one.username for one in people_journal.administrators()] == [user.username],
        "givers": [] if any(row.person == user and row.held for row in found) else people_journal.administrators(),
    }


def person_context(user: User, person: User) -> dict[str, Any]:
    """The context of people/person_page.html."""
    held = _held(user, [person]).get(person.pk, ())
    places = scopes_to_give(user)
    roles = [role for role in ALL if any(kind_of(scope) in role.kinds for scope, _ in places)]
    shown = bool(places) or rights.everywhere(user, "approvals.view_auditevent") or person == user
    return {
        "person": person,
        "held": held,
        "roles": roles if person != user and person.is_active else [],
        "places": places,
        "others": others(person) if shown else [],
        "events": told_of(f"person:{person.pk}") if shown else [],
    }


def rows(user: User, wish: str = "") -> list[Row]:
    """Oneself, and those who hold a role somewhere that one may look at; for who gives roles: everybody."""
    everybody = User.objects.filter(is_active=True, username__icontains=wish)
    if not scopes_to_give(user):
        shown = RoleGroup.objects.filter(scope__in=_scopes(user))
        everybody = everybody.filter(Q(pk=user.pk) | Q(groups__stands_for__in=shown)).distinct()
    people = list(everybody.order_by("username")[: MOST + 1])
    held = _held(user, people)
    return [Row(person, held.get(person.pk, ())) for person in people]


def scopes_to_give(user: User) -> list[tuple[str, str]]:
    """Where this person may give roles: scope and name, everything first."""
    if rights.everywhere(user, GIVE):
        every = [(EVERYTHING, "everything")]
        every += [(f"{CHANNEL}:{row.pk}", f"channel {row}") for row in _all(CHANNEL)]
        return every + [(f"{POOL}:{row.pk}", str(row)) for row in _all(POOL)]
    model = rights.SCOPES.get(POOL)
    pools = list(rights.rows(user, GIVE, model)) if model else []
    return [(f"{POOL}:{row.pk}", str(row)) for row in pools]


def others(person: User) -> list[str]:
    """Rights that the person holds besides roles, as they were given one by one before there were roles."""
    own = Permission.objects.filter(Q(user=person) | Q(group__in=person.groups.filter(stands_for=None)))
    said = {f"{row.name}, on everything" for row in own}
    for kind in rights.SCOPES:
        said |= {f"{name}, on {where}" for name, where in rights.outside_roles(person, kind)}
    return sorted(said)


def _held(user: User, people: list[User]) -> dict[int, tuple[Held, ...]]:
    """Role by role what these people hold where `user` may look; of oneself all."""
    seen, names = set(_scopes(user)), _names()
    giving = {scope for scope, _ in scopes_to_give(user)}
    member = people_journal.Member.objects.filter(user__in=people, group__stands_for__isnull=False)
    found: dict[int, list[Held]] = {}
    columns = ("user", "group__stands_for__role", "group__stands_for__scope")
    for pk, role, scope in member.order_by("group__stands_for__role").values_list(*columns):
        if role in ROLES and scope in names and (scope in seen or pk == user.pk or scope in giving):
            held = Held(ROLES[role], scope, people_services.on(scope), scope in giving)
            found.setdefault(pk, []).append(held)
    return {pk: tuple(held) for pk, held in found.items()}


def _names() -> set[str]:
    return {EVERYTHING} | {f"{kind}:{row.pk}" for kind in rights.SCOPES for row in _all(kind)}


def _scopes(user: User) -> list[str]:
    """Scopes that this person may look at: pools that he sees, and with any of them the channels and everything."""
    model = rights.SCOPES.get(POOL)
    pools = [f"{POOL}:{row.pk}" for row in rights.rows(user, "fleet.view_pool", model)] if model else []
    return [*pools, EVERYTHING, *(f"{CHANNEL}:{row.pk}" for row in _all(CHANNEL))] if pools else []


def _all(kind: str) -> list[Model]:
    model = rights.SCOPES.get(kind)
    return list(model._default_manager.order_by("pk")) if model else []
