"""The kinds of requests that policies may be about, as people know them, and what each needs as shipped."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from approvals import hearing, policies
from approvals.models import Request
from approvals.policies import Kind
from approvals.policy_spec import Rules
from fleet.models import Channel, Pool
from releases.models import Signature
from upgrader.models import Rollout

HOURS = 60
WEEK = 7 * 24 * HOURS

START, BACK, CUT = "rollout.start", "rollout.rollback", "drain.cut"
QUICK = Rules(decide_minutes=2 * HOURS, use_minutes=WEEK, remind_minutes=0, escalate_minutes=0)
"""On-call is called from the first moment for these (upgrader/calls.py)."""

policies.KINDS |= {
    START: Kind("Start a rollout", Rules(not_signer=True), pools=True),
    BACK: Kind("Roll back what one person may not", QUICK, pools=True),
    CUT: Kind("Cut users at the end of a drain", QUICK, pools=True),
}
POOLS = {
    "gateway.enrol": "Take a gateway into the fleet",
    "gateway.leave": "Let a gateway leave the fleet",
    "gateway.host_key": "Believe another host key",
    "gateway.believe": "Believe a gateway that is ahead of the database",
    "balancer.add": "Add a balancer",
    "balancer.attach": "Place a gateway behind a balancer",
    "balancer.remove": "Remove a balancer",
    "drift.adopt": "Adopt what was changed on a host",
    "config.agree": "Agree to a configuration",
    "window.set": "Set a window",
    "window.end": "End a window",
    "freeze.lift": "Lift a freeze",
    "budget.set": "Set a budget",
}
EVERYWHERE = {
    "signer.trust": "Trust a signer",
    "signer.renew": "Renew a signer's key",
    "signer.distrust": "Strike a signer",
    "ca.trust": "Trust a company CA",
    "policy.change": "Change what a channel asks of releases",
    "release.pass": "Pass a release into a channel",
    "approver.key": "Confirm an approver's key",
    "ssh.rotate": "Rotate the controller's SSH keys",
    "ssh.switch": "Switch to the new SSH keys",
    "probehost.add": "Add a probe host",
    "probehost.remove": "Remove a probe host",
}
policies.KINDS |= {kind: Kind(title, pools=True) for kind, title in POOLS.items()}
policies.KINDS |= {kind: Kind(title) for kind, title in EVERYWHERE.items()}


def places() -> Iterable[tuple[str, str]]:
    """The pools and the channels."""
    for pk, name in Pool.objects.order_by("name").values_list("pk", "name"):
        yield f"pool:{pk}", f"on the pool {name}"
    for channel in Channel.values:
        yield channel_scope(channel), f"for releases of the channel {channel}"


def channel_scope(channel: str) -> str:
    return f"channel:{channel}"


def scopes(rollout: Rollout) -> list[str]:
    """Where else than on its pool a policy for this rollout may stand."""
    return [channel_scope(rollout.release.channel)]


def signed_by(request: Request) -> Collection[str]:
    """By what those are known who signed the release that is to start."""
    kind, _, number = request.subject.partition(":")
    releases = Rollout.objects.filter(pk=number if kind == "rollout" and number.isdecimal() else 0)
    rows = Signature.objects.filter(release__in=releases.values("release"))
    return set(rows.values_list("identity", flat=True))


policies.SCOPES.append(places)
hearing.SIGNERS[START] = signed_by
