"""Who may ask for what on which pool. Being a superuser is no right: it must be granted."""

from __future__ import annotations

from approvals import rights
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Pool
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


def may(person: User, action: str, pool: Pool) -> bool:
    """True when the person holds the action's permission on the pool now, by himself or by a group."""
    return rights.may(person, ACTION_PERMISSION[action], f"pool:{pool.pk}")


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
