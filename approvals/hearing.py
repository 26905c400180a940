"""A request with all that was said to it, and who is behind it, as values for policy.py. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from approvals import delegation, persons, policies, policy
from approvals.errors import Refused
from approvals.models import Actor, BreakGlass, Decision, Delegation, Request, User
from approvals.policy_spec import Rules
from approvals.policy_spec import said as said_by

SIGNERS: dict[str, Callable[[Request], Collection[str]]] = {}
"""Kind of request → the identities (approvals.models.Identity) of those who signed what it is about."""


def asked(request: Request) -> policy.Asked:
    """The request with what was said. Raise Refused where its policy can't be read."""
    decisions = list(request.decisions.select_related("by", "delegation__giver").order_by("at", "pk"))
    rules = policies.rules_for(request)
    people = {request.requested_by_id}.union(*(accounts_of(it) for it in decisions))
    known = persons.same(people)
    return policy.Asked(
        state=request.state,
        digest=request.digest,
        permission=request.permission,
        scope=request.scope,
        needed=request.needed,
        requested_by=request.requested_by_id,
        expires_at=request.expires_at,
        use_until=policies.use_until(request, rules),
        said=[said(it, request, rules, known) for it in decisions],
        rules=rules,
        asker=known[request.requested_by_id],
        signers=signers(request, rules),
        alone=alone(request),
    )


def needed(request: Request) -> tuple[list[str], str]:
    """What the policy wants, as sentences, and who is still needed; why not, where it can't be read."""
    try:
        seen = asked(request)
    except Refused as no:
        return [no.say], ""
    return said_by(seen.rules[-1]), policy.needs_say(policy.still_needed(seen))


def answer(
    seen: policy.Asked, request: Request, *, by: User, given: Delegation | None, actor: Actor, now: datetime
) -> policy.Answer:
    """An answer before its words: what is known of who gives it, and of the one for whom he does."""
    holder = given.giver if given else by
    known = persons.same({by.pk, holder.pk})
    return policy.Answer(
        by=by.pk,
        yes=True,
        reason="",
        digest=request.digest,
        has_right=True,
        active=by.is_active,
        accounts=known[by.pk] | known[holder.pk],
        groups=policies.groups(holder, policies.wanted_groups(seen.rules), request.scope, now),
        strength=actor.strength,
    )


def said(it: Decision, request: Request, rules: list[Rules], known: dict[int, frozenset[int]]) -> policy.Said:
    holder = it.delegation.giver if it.delegation else it.by
    wanted = policies.wanted_groups(rules) if it.yes else frozenset()
    return policy.Said(
        by=it.by_id,
        name=name_of(it),
        yes=it.yes,
        digest=it.digest,
        at=it.at,
        accounts=frozenset().union(*(known[account] for account in accounts_of(it))),
        groups=policies.groups(holder, wanted, request.scope, it.at),
        strength=it.strength,
    )


def accounts_of(it: Decision) -> set[int]:
    return {it.by_id, it.delegation.giver_id} if it.delegation else {it.by_id}


def name_of(it: Decision) -> str:
    """ "Li", or "Li for Amara"."""
    return f"{name(it.by)} for {name(it.delegation.giver)}" if it.delegation else name(it.by)


def name(user: User) -> str:
    return user.get_full_name() or user.username


def signers(request: Request, rules: list[Rules]) -> frozenset[int]:
    """All accounts of those who signed what it is about; none where no rule asks."""
    if request.kind not in SIGNERS or not any(rule.not_signer for rule in rules):
        return frozenset()
    known = persons.behind(f"signer:{identity}" for identity in SIGNERS[request.kind](request))
    return frozenset().union(*persons.same(known).values())


def alone(request: Request) -> policy.Alone | None:
    row = BreakGlass.objects.filter(request=request).select_related("by").first()
    if row is None:
        return None
    return policy.Alone(row.by_id, name(row.by), row.reviewed_at is not None, row.review_until)


def standing(request: Request, has_right: Callable[[User], bool] | None) -> frozenset[int]:
    """Ids of those whose yes stands: their account is on, and so is the right by which they said it."""
    rows = request.decisions.filter(yes=True, by__is_active=True).select_related("by", "delegation__giver")
    right = {it.by_id for it in rows if stands(it, has_right)}
    glass = BreakGlass.objects.filter(request=request, by__is_active=True).select_related("by").first()
    if glass is not None and (has_right is None or has_right(glass.by)):
        right.add(glass.by_id)
    return frozenset(right)


def stands(it: Decision, has_right: Callable[[User], bool] | None) -> bool:
    given = it.delegation
    if given is not None and (given.ended_at is not None or not given.giver.is_active):
        return False  # taken back; one that has merely run out since was good when it was used
    return has_right is None or has_right(given.giver if given else it.by)


def giver(request: Request, by: User, *, now: datetime) -> Delegation | None:
    """By whose right this person answers; None: his own. Refused where it would be the asker's."""
    asker = persons.same([request.requested_by_id])[request.requested_by_id]
    return delegation.choose(by, request, asker=asker, now=now)
