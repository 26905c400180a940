"""How policies come to be: one person asks, another agrees. The only writer of ApprovalPolicy rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Max

from approvals import audit, changes, persons, policies, rights
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import ApprovalPolicy, Request, RoleGroup, User
from approvals.policies import Kind
from approvals.policy_spec import BadPolicy, Rules, parse, said

POLICY, PERSON = "approval.policy", "person.known"
ASK, AGREE = "approvals.add_approvalpolicy", "approvals.change_approvalpolicy"


@dataclass(frozen=True)
class Wish:
    """A policy as a person wants it; `spec` None: none of its own any more. `version`: the one that he saw."""

    kind: str
    scope: str
    spec: Mapping[str, Any] | None
    version: int
    why: str


def propose(wish: Wish, **who: Any) -> Request:
    """Ask a second person for a policy; `who`: by, actor, now. Refused with what is wrong."""
    where = _where(wish)
    standing = version_of(wish.kind, wish.scope)
    if standing != wish.version:
        raise Refused(f"The page you saw is old: somebody changed this policy; it has version {standing} now.")
    if not wish.why.strip():
        raise Refused("Say why: who agrees needs the reason.")
    now = policies.in_force_said(wish.kind, wish.scope)
    if wish.spec is None:
        title, lines = f"Drop the policy for {where}", ["What is less specific counts again."]
    else:
        rules = _read(wish)
        title, lines = f"Set the policy for {where}", said(rules)
    return changes.propose(
        POLICY,
        **who,
        subject=f"policy:{wish.kind or 'every'}:{wish.scope}"[:80],
        payload={"kind": wish.kind, "scope": wish.scope, "spec": wish.spec, "version": wish.version},
        title=title,
        lines=[*lines, f"Until then: {now}"],
        why=wish.why.strip()[:2000],
    )


def apply(applied: Applied) -> None:
    """Write the further version, if nobody was faster."""
    kind, scope = str(applied.payload["kind"]), str(applied.payload["scope"])
    standing, spec = version_of(kind, scope), applied.payload["spec"]
    if standing != applied.payload["version"]:
        raise Refused(f"Somebody changed this policy since; it has version {standing} now. Ask again.")
    ApprovalPolicy.objects.filter(kind=kind, scope=scope, current=True).update(current=False)
    made = {"spec": spec, "made_by": applied.asked_by, "agreed_by": applied.decided_by, "made_at": applied.now}
    why = str(applied.request.summary.get("why", ""))
    row = ApprovalPolicy.objects.create(kind=kind, scope=scope, version=standing + 1, why=why, **made)
    about = {"kind": kind, "scope": scope, "version": row.version, "spec": spec}
    subject = applied.request.subject
    audit.append("policy.set", subject=subject, actor=applied.actor, at=applied.now, reason=why, details=about)


def version_of(kind: str, scope: str) -> int:
    """The number of the newest version; 0 where there was none."""
    return ApprovalPolicy.objects.filter(kind=kind, scope=scope).aggregate(last=Max("version"))["last"] or 0


def propose_identity(user: User, value: str, *, why: str, **who: Any) -> Request:
    """Ask that a person be known by this: two accounts with one value are one person. `who`: by, actor, now."""
    what, _, name = value.partition(":")
    if what not in ("person", "signer") or not name.strip() or not value.isprintable() or len(value) > 200:
        raise Refused("Give the person's name, or the fingerprint of the key with which he signs releases.")
    if not why.strip():
        raise Refused("Say why: who agrees needs the reason.")
    means = f"signs releases with {name}" if what == "signer" else f"is the person {name}"
    return changes.propose(
        PERSON,
        **who,
        subject=f"user:{user.pk}",
        payload={"user": user.pk, "value": value},
        title=f"{user.username} {means}",
        lines=["Accounts of one person count once to every approval, and nobody approves what he asked or signed."],
        why=why.strip()[:2000],
    )


def apply_identity(applied: Applied) -> None:
    user = User.objects.get(pk=applied.payload["user"])
    said_value = str(applied.payload["value"])
    persons.note(user, said_value, by=applied.asked_by, actor=applied.actor, now=applied.now)


def groups() -> list[str]:
    """Names that a policy may ask for: roles, and groups that stand for none."""
    roles = RoleGroup.objects.values_list("role", flat=True)
    return sorted({*roles, *Group.objects.filter(stands_for=None).values_list("name", flat=True)})


def _where(wish: Wish) -> str:
    """What the policy is about, for people. Refused for what there is not."""
    if wish.kind and wish.kind not in policies.KINDS:
        raise Refused(f"There is no kind of request {wish.kind!r}.")
    kind = policies.KINDS.get(wish.kind)
    if wish.scope != policies.ALL and (kind is not None and not kind.pools or wish.scope not in policies.scopes()):
        raise Refused("This kind of request is asked about everything: choose “everywhere”.")
    return f"“{policies.title(wish.kind)}”, {policies.where(wish.scope)}"


def _read(wish: Wish) -> Rules:
    try:
        rules = parse(wish.spec)
    except BadPolicy as bad:
        raise Refused(str(bad)) from None
    for need in rules.needs:
        if need.of and (there := _members(need.of, wish.scope)) < need.count:
            raise Refused(f"{there} people with their accounts on are in {need.of}: nothing could be approved by this.")
    return rules


def _members(name: str, scope: str) -> int:
    people = User.objects.filter(is_active=True)
    roles = RoleGroup.objects.filter(role=name)
    if scope.startswith("pool:"):
        roles = roles.filter(scope__in=[scope, policies.ALL])
    named = set(people.filter(groups__name=name).values_list("pk", flat=True))
    return len(named | set(people.filter(groups__stands_for__in=roles).values_list("pk", flat=True)))


changes.KINDS[POLICY] = changes.Change(ASK, AGREE, apply)
changes.KINDS[PERSON] = changes.Change(ASK, AGREE, apply_identity)
policies.KINDS[POLICY] = Kind("Change an approval policy")
policies.KINDS[PERSON] = Kind("Say which accounts are one person")


def may_ask(person: User) -> bool:
    return rights.may(person, ASK, rights.EVERYTHING)
