"""Which policy is in force for a request. The most specific one wins; one that can't be read says no. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from approvals import duty, rights
from approvals.errors import Refused
from approvals.models import ApprovalPolicy, Request, RoleGroup, User
from approvals.policy_spec import STRENGTHS, BadPolicy, Rules, as_data, parse, said

EVERY = ""  # kind of a policy for every kind that has none of its own
ALL = "all"
SEES = "fleet.view_pool"
WEEK = 7 * 24 * 60


@dataclass(frozen=True)
class Kind:
    """A kind of request as people know it, and what it needs while nobody has said otherwise."""

    title: str  # "Start a rollout"
    shipped: Rules = Rules(decide_minutes=WEEK, use_minutes=WEEK + 60)
    pools: bool = False  # it is asked about a pool: a policy may be a pool's, or a channel's


KINDS: dict[str, Kind] = {}
"""Registered by the apps that ask (settings.CHANGES)."""


SCOPES: list[Callable[[], Iterable[tuple[str, str]]]] = []
"""Where policies may stand beside "all", with what people call it: [("pool:3", "the pool eu-west")]. By the same."""


@dataclass(frozen=True)
class Force:
    """What is in force."""

    rules: Rules
    kind: str = EVERY  # of the policy that won
    scope: str = ALL
    version: int = 0  # 0: as shipped

    @property
    def shipped(self) -> bool:
        return not self.version


def scopes_of(scope: str, more: Sequence[str] = ()) -> list[str]:
    """Where a policy may stand for a request, the most specific first: its pool, its channel, everything."""
    return list(dict.fromkeys([scope, *more, ALL]))


def in_force(kind: str, scopes: Sequence[str]) -> Force:
    """The policy for this kind on the first of the scopes that has one, else the one for every kind, else as shipped.

    Raise Refused, with the sentence, where it can't be read: that one is a no, not the next one's turn.
    """
    rows = ApprovalPolicy.objects.filter(current=True, kind__in=[kind, EVERY], scope__in=scopes).exclude(spec=None)
    found = {(row.kind, row.scope): row for row in rows}
    for wanted in (kind, EVERY):
        for scope in scopes:
            if row := found.get((wanted, scope)):
                return Force(read(row), row.kind, row.scope, row.version)
    return Force(KINDS[kind].shipped if kind in KINDS else Rules(), kind)


def read(row: ApprovalPolicy) -> Rules:
    """What the row says. Raise Refused where it can't be read."""
    try:
        return parse(row.spec)
    except BadPolicy as bad:
        what = title(row.kind).lower() if row.kind else "every kind of request"
        say = f"The approval policy for “{what}” on {row.scope} can't be read, so nothing is approved by it: {bad}"
        raise Refused(f"{say} Put it right on the page Policies.") from None


def title(kind: str) -> str:
    """What people call the kind."""
    return KINDS[kind].title if kind in KINDS else kind.replace(".", ": ").replace("_", " ") or "Every other kind"


def snapshot(force: Force, scopes: Sequence[str], start_at: datetime | None = None) -> dict[str, Any]:
    """What a request keeps of the policy that was in force when it was asked."""
    start = {"start_at": start_at.isoformat()} if start_at else {}
    about = {"kind": force.kind, "scope": force.scope, "version": force.version}
    return {"scopes": list(scopes), "spec": as_data(force.rules), **about, **start}


def rules_for(request: Request) -> list[Rules]:
    """What was in force when it was asked, and what is now. Raise Refused where one can't be read."""
    kept: Mapping[str, Any] | None = request.policy
    now = in_force(request.kind, kept["scopes"] if kept else scopes_of(request.scope)).rules
    if kept is None:
        return [now]  # asked before there were policies
    try:
        then = parse(kept["spec"])
    except BadPolicy as bad:
        raise Refused(f"What this approval needed when it was asked for can't be read: {bad} Ask again.") from None
    return [now] if then == now else [then, now]


def strength(request: Request) -> str:
    """The strongest proof that a yes to it takes; "" for none, and where the policy can't be read: then nobody may."""
    try:
        return max((rule.step_up for rule in rules_for(request)), key=STRENGTHS.index)
    except Refused:
        return ""


def use_until(request: Request, rules: Sequence[Rules]) -> datetime:
    """Until when a yes may be used: what was said when it was asked, or earlier where the policy became stricter."""
    kept = request.policy or {}
    began = datetime.fromisoformat(kept["start_at"]) if "start_at" in kept else request.requested_at
    if request.policy is None or request.policy["version"] == 0 and len(rules) == 1:
        return request.use_until
    return min(request.use_until, began + timedelta(minutes=rules[-1].use_minutes))


def groups(user: User, wanted: Collection[str], scope: str, at: datetime) -> frozenset[str]:
    """Those of the wanted groups and roles in which the person was then, for this scope; a role by shift in it only."""
    if not wanted:
        return frozenset()
    resting = duty.resting(user, at).values()
    mine = user.groups.filter(name__in=wanted).exclude(pk__in=resting).values_list("name", flat=True)
    roles = RoleGroup.objects.filter(role__in=wanted, scope__in=[scope, ALL], group__user=user)
    return frozenset(mine) | frozenset(roles.exclude(group__in=resting).values_list("role", flat=True))


def wanted_groups(rules: Sequence[Rules]) -> frozenset[str]:
    return frozenset(need.of for rule in rules for need in rule.needs if need.of)


def scopes() -> dict[str, str]:
    """Every place at which a policy may stand → what people call it."""
    return {ALL: "everywhere"} | {scope: name for listed in SCOPES for scope, name in listed()}


def scopes_for(person: User) -> dict[str, str]:
    """Those of the places that the person may know of: of the pools those that he may look at."""
    model = rights.SCOPES.get("pool")
    seen = set() if model is None else set(rights.rows(person, SEES, model).values_list("pk", flat=True))
    mine = {f"pool:{pk}" for pk in seen}
    return {scope: name for scope, name in scopes().items() if scope in mine or not scope.startswith("pool:")}


def where(scope: str) -> str:
    return scopes().get(scope, scope)


def in_force_said(kind: str, scope: str) -> str:
    """What counts there now, as one text; where that can't be read, the sentence that says so."""
    try:
        return " ".join(said(in_force(kind, scopes_of(scope)).rules))
    except Refused as no:
        return no.say
