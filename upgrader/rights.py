"""Who may ask for what on which pool. Being a superuser is no right: it must be granted."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.utils import timezone
from guardian.shortcuts import get_users_with_perms

from approvals import delegation, rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Pool
from fleet.selectors import pools_with
from upgrader.states import ACTION_PERMISSION

WORD = {
    "roll_back": "roll back",
    "take_in": "take in a gateway again",
    "agree_back": "agree to roll back",
    "refuse_back": "refuse to roll back",
    "extend": "extend a drain",
    "ask_cut": "ask to cut users",
    "agree_cut": "agree to cut users",
    "refuse_cut": "refuse to cut users",
}
ANSWERS = frozenset({"approve", "reject", "agree_back", "refuse_back", "agree_cut", "refuse_cut"})
"""What somebody may do in another's place (approvals/delegation.py)."""
DECIDE = "approve_rollout"


def may(person: User, action: str, pool: Pool) -> bool:
    """True when the person holds the action's permission on the pool now, by himself, by a group, or as somebody who
    answers for one who does."""
    permission, scope = ACTION_PERMISSION[action], f"pool:{pool.pk}"
    if rights.may(person, permission, scope):
        return True
    return action in ANSWERS and delegation.may(person, permission, scope, now=timezone.now())


def answers_for_another(person: User, pool: Pool) -> frozenset[str]:
    """What the person may do there in another's place."""
    another = delegation.may(person, f"fleet.{DECIDE}", f"pool:{pool.pk}", now=timezone.now())
    return ANSWERS if another else frozenset()


def deciders(pool: Pool) -> QuerySet[User]:
    """Everybody with an account that is on who holds the right to decide there, on shift or not."""
    on_pool: QuerySet[User] = get_users_with_perms(
        pool, only_with_perms_in=[DECIDE], with_superusers=False, with_group_users=True, attach_perms=False
    )  # type: ignore[assignment]  # a dict only where attach_perms is asked for
    named = Permission.objects.filter(content_type__app_label="fleet", codename=DECIDE)
    everywhere = Q(user_permissions__in=named) | Q(groups__permissions__in=named)
    ids = {*on_pool.values_list("pk", flat=True), *User.objects.filter(everywhere).values_list("pk", flat=True)}
    return User.objects.filter(pk__in=ids, is_active=True)


def deciding_pools(person: User) -> QuerySet[Pool] | Collection[int]:
    """Where the person answers what others ask, for himself or for another; to be used in a filter."""
    own, given = pools_with(person, DECIDE), delegation.taken(person, now=timezone.now())
    if not given:
        return own
    ids = set(own.values_list("pk", flat=True))
    for giver, scope in given:
        theirs = pools_with(giver, DECIDE)
        theirs = theirs if scope == rights.EVERYTHING else theirs.filter(pk=scope.removeprefix("pool:"))
        ids |= set(theirs.values_list("pk", flat=True))
    return ids


def holds(person: User, action: str, pool: Pool) -> bool:
    """As `may`, on shift or not: for who asked or said yes before."""
    return rights.holds(person, ACTION_PERMISSION[action], f"pool:{pool.pk}")


def demand(actor: Actor, action: str, pool: Pool) -> User:
    """Return the person behind the actor, or refuse with the right that is missing and where it is missing."""
    person = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    if person is None:
        raise Refused(f"Only a person may {WORD.get(action, action)} a rollout.")
    if not may(person, action, pool):
        raise Refused(f"You may not {WORD.get(action, action)} on {pool.name}. Ask somebody who may, or for the right.")
    return person
