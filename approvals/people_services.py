"""Give and take roles. One person's word is enough, but for the power to approve or to administer it takes two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from approvals import changes, people_journal, rights
from approvals.changes import KINDS, Applied, Change
from approvals.errors import Refused
from approvals.models import Actor, Request, RoleGroup, User
from approvals.roles import EVERYTHING, ROLES, Role, kind_of

KIND = "role.give"
GIVE, CONFIRM = "fleet.give_role", "fleet.approve_role"
WHY_MOST = 2_000


@dataclass(frozen=True)
class Wanted:
    """Which role of whom, where, and why."""

    person: User
    role: str
    scope: str
    why: str


def give(wanted: Wanted, *, by: User, actor: Actor, now: datetime) -> Request | None:
    """Give a role. None: it is given. A request: another person confirms it. Refused with the reason why not."""
    role = _checked(wanted, by)
    _refuse_own(wanted.person, by)
    if holds(wanted.person, wanted.role, wanted.scope):
        raise Refused(f"{wanted.person.username} is {role.title} {on(wanted.scope)} already.")
    if not role.needs_two(kind_of(wanted.scope)):
        people_journal.give(wanted.person, wanted.role, wanted.scope, actor=actor, now=now, why=wanted.why)
        return None
    return changes.propose(
        KIND,
        by=by,
        actor=actor,
        now=now,
        subject=f"person:{wanted.person.pk}:{wanted.role}:{wanted.scope}",
        scope=wanted.scope,
        payload={"person": wanted.person.pk, "role": wanted.role, "scope": wanted.scope},
        title=f"Make {wanted.person.username} {role.title} {on(wanted.scope)}",
        lines=[role.says, "The rights count from your yes on.", *_rights_said(role, wanted.scope)],
        why=wanted.why,
    )


def take(wanted: Wanted, *, by: User, actor: Actor, now: datetime) -> None:
    """Take a role away at once. Refused where it is not held, and for the last administrator."""
    role = _checked(wanted, by, away=True)
    if not people_journal.take(wanted.person, wanted.role, wanted.scope, actor=actor, now=now, why=wanted.why):
        raise Refused(f"{wanted.person.username} is not {role.title} {on(wanted.scope)}.")


def apply_give(applied: Applied) -> None:
    """The second person's yes: he may not be the one who gets the role."""
    asked = applied.payload
    person = User.objects.filter(pk=asked["person"]).first()
    if person is None or not person.is_active:
        raise Refused("Whom this is for can't sign in any more. Say no to it.")
    if person == applied.decided_by:
        raise Refused("The role would be your own. Somebody else has to confirm it.")
    role = ROLES.get(asked["role"])
    if role is None or kind_of(asked["scope"]) not in role.kinds or not _is_there(asked["scope"]):
        raise Refused("This role or its place is not there any more. Say no to it.")
    why = str(applied.request.summary.get("why", ""))
    people_journal.give(person, role.name, asked["scope"], actor=applied.actor, now=applied.now, why=why)


def holds(person: User, role: str, scope: str) -> bool:
    return RoleGroup.objects.filter(role=role, scope=scope, group__user=person).exists()


def on(scope: str) -> str:
    """The end of the sentence *ann is Operator …*."""
    if scope == EVERYTHING:
        return "of everything"
    kind = "channel " if kind_of(scope) == "channel" else ""
    return f"on {kind}{rights.named(scope)}"


def _checked(wanted: Wanted, by: User, *, away: bool = False) -> Role:
    """The role, once it is clear that `by` may give it there and says why."""
    role = ROLES.get(wanted.role)
    if role is None or (kind_of(wanted.scope) not in role.kinds and not away) or not _is_there(wanted.scope):
        raise Refused("Choose a role, and a place where it can be held.")
    if not rights.may(by, GIVE, wanted.scope):
        raise Refused(f"You may not give or take roles {on(wanted.scope)}: you lack the right “{rights.said(GIVE)}”.")
    if not wanted.why.strip() or len(wanted.why) > WHY_MOST:
        raise Refused(f"Say why, in at most {WHY_MOST} characters: it goes on the record.")
    if not away and not wanted.person.is_active:
        raise Refused(f"{wanted.person.username} is switched off.")
    return role


def _refuse_own(person: User, by: User) -> None:
    if person == by:
        raise Refused("Nobody gives himself a role. Ask another administrator.")


def _is_there(scope: str) -> bool:
    return scope == EVERYTHING or rights.find(scope) is not None


def _rights_said(role: Role, scope: str) -> list[str]:
    said = sorted(rights.said(right) for right in role.rights(kind_of(scope)))
    return [f"{right}." for right in said]


KINDS[KIND] = Change(GIVE, CONFIRM, apply=apply_give)
