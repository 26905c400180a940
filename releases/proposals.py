"""Who may sign and what channels ask: proposed by one person, applied when another agreed. Checked both times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from approvals import audit, changes, rights
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from fleet.phrases import count, listed
from releases import authority, policy, signers, standing, statements
from releases.models import ChannelPolicy, Release, TrustedSigner, TrustStatement

TRUST, RENEW, DISTRUST = "signer.trust", "signer.renew", "signer.distrust"
CA_TRUST, POLICY = "ca.trust", "policy.change"


def propose_trust(proposed: signers.Proposed, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask that these signatures count; for somebody who is known already, that the new key or certificates do."""
    old = TrustedSigner.objects.filter(fingerprint=proposed.fingerprint).first()
    if signers.is_known(proposed):
        raise Refused(f"{proposed.label} is trusted already, with exactly this key.")
    is_ca = proposed.kind == TrustedSigner.Kind.CA
    what = "the company CA" if is_ca else "the signer"
    return changes.propose(
        RENEW if old else CA_TRUST if is_ca else TRUST,
        by=by,
        actor=actor,
        now=now,
        subject=f"signer:{proposed.fingerprint}",
        payload=asdict(proposed),
        title=f"{'Renew' if old else 'Trust'} {what} {proposed.label} in the group {proposed.group}",
        lines=[*_about(proposed), *_if_known(old, proposed)],
        warning="" if old is None or old.active else f"{old.label} was struck off before; this trusts the key again.",
        why=_reason(why),
    )


def propose_distrust(signer: TrustedSigner, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask that somebody's signatures count no more, those on kept releases too."""
    if not signer.active:
        raise Refused(f"{signer.label} is not trusted any more.")
    lost = _lost(signer, now=now)
    return changes.propose(
        DISTRUST,
        by=by,
        actor=actor,
        now=now,
        subject=f"signer:{signer.fingerprint}",
        payload={"fingerprint": signer.fingerprint, "reason": _reason(why)},
        title=f"Strike {signer.label} off the signers",
        lines=[
            f"Fingerprint {signer.fingerprint}, group {signer.group}.",
            "No signature of it counts any more, on kept releases neither; rollouts that need one hold and say why.",
            "Gateways follow when the remaining signers have signed the new trust statement.",
        ],
        warning=" ".join(filter(None, [_too_few(lost), statements.why_not_rotate()])),
        why=_reason(why),
    )


def propose_policy(wanted: policy.Policy, *, by: User, actor: Actor, now: datetime, why: str) -> Request:
    """Ask for another policy of a channel."""
    _check_policy(wanted)
    old = standing.policy_of(wanted.channel)
    if old == wanted:
        raise Refused(f"This is the policy of {wanted.channel} already.")
    less = policy.weaker(old, wanted)
    return changes.propose(
        POLICY,
        by=by,
        actor=actor,
        now=now,
        subject=f"channel:{wanted.channel}",
        payload={**asdict(wanted), "matrix": list(wanted.matrix)},
        title=f"Change what the channel {wanted.channel} asks of a release",
        lines=[f"From now on: {said(wanted)}.", f"Until now: {said(old)}." if old else "Until now: no policy."],
        warning=f"This asks for less: {', '.join(less)}." if less else "",
        why=_reason(why),
    )


def take_crl(signer: TrustedSigner, crl: str, *, by: User | None, actor: Actor, now: datetime) -> bool:
    """Take a CA's newer list and send it to the gateways; one person's word is enough, for it only takes away.

    `by` is None for root at the machine itself. Return whether it was news.
    """
    if by is not None:
        _demand(by)
    with transaction.atomic():
        news = signers.take_crl(signer, crl, actor=actor, now=now)
        if news:
            statements.send_crl(signer.pk, actor=actor, now=now)
    return news


def sign_statement(row: TrustStatement, data: bytes, *, by: User, actor: Actor, now: datetime) -> TrustStatement:
    """Add a signer's signature over a trust statement, whoever of those with the right brings it."""
    _demand(by)
    kind = "p7s" if b"-----BEGIN PGP" not in data else "asc"
    return statements.sign(row, data, kind=kind, actor=actor, now=now)


def send_statement(row: TrustStatement, *, by: User, actor: Actor, now: datetime) -> int:
    """Send a signed statement to the gateways that came since and trust an older one."""
    _demand(by)
    return statements.send_again(row, actor=actor, now=now)


def draw_statement(*, by: User, actor: Actor, now: datetime) -> TrustStatement:
    """Draw the trust statement anew: keys of approvers and lists of revoked certificates change without a vote here."""
    _demand(by)
    with transaction.atomic():
        drawn = statements.draw(before=signers.known(), actor=actor, now=now)
    if drawn is None:
        raise Refused("Gateways were told exactly this already; there is nothing new to sign.")
    return drawn


def apply_trust(applied: Applied) -> None:
    before = signers.known()
    signers.trust(signers.Proposed(**applied.payload), actor=applied.actor, now=applied.now)
    statements.draw(before=before, actor=applied.actor, now=applied.now)


def apply_distrust(applied: Applied) -> None:
    before, fingerprint = signers.known(), applied.payload["fingerprint"]
    signer = TrustedSigner.objects.get(fingerprint=fingerprint)
    signers.distrust(signer, reason=applied.payload["reason"], actor=applied.actor, now=applied.now)
    statements.draw(before=before, actor=applied.actor, now=applied.now)


def apply_policy(applied: Applied) -> None:
    wanted = policy.Policy(**{**applied.payload, "matrix": tuple(applied.payload["matrix"])})
    _check_policy(wanted)
    columns = {name: value for name, value in asdict(wanted).items() if name != "channel"}
    ChannelPolicy.objects.update_or_create(channel=wanted.channel, defaults={**columns, "matrix": list(wanted.matrix)})
    details = {**columns, "matrix": list(wanted.matrix), "asked_by": applied.asked_by.username}
    subject = f"channel:{wanted.channel}"
    audit.append("policy.changed", subject=subject, actor=applied.actor, at=applied.now, details=details)


def said(wanted: policy.Policy) -> str:
    """A policy in words."""
    group = f" of the group {wanted.group}" if wanted.group else ""
    age = f", no signature older than {count(wanted.max_age_days, 'day')}" if wanted.max_age_days else ""
    tests = f", green {', '.join(wanted.matrix)} tests" if wanted.matrix else ", no tests"
    return f"{count(wanted.threshold, 'signer')}{group}{age}{tests}"


def _check_policy(wanted: policy.Policy) -> None:
    if wanted.channel not in policy.RANK:
        raise Refused(f"There is no channel {wanted.channel!r}.")
    if not settings.RELEASE_THRESHOLD <= wanted.threshold <= 10 or wanted.threshold < 1:
        least = max(1, settings.RELEASE_THRESHOLD)
        raise Refused(f"A channel asks for {least} to 10 signers here, not {wanted.threshold}.")
    if wanted.group and not TrustedSigner.objects.filter(group=wanted.group, active=True).exists():
        raise Refused(
            f"Nobody who is trusted is of the group {wanted.group!r}, so nothing could pass. Trust one first."
        )
    if not 0 <= wanted.max_age_days <= 3650 or set(wanted.matrix) - set(policy.PARTS):
        raise Refused("A signature's age is 0 (any) to 3650 days, and the tests are static, functional and stress.")


def _too_few(lost: Sequence[str]) -> str:
    return f"{listed(lost, 12)} will have too few signers left." if lost else ""


def _demand(by: User) -> None:
    if not rights.may(by, "releases.propose_trust", rights.EVERYTHING):
        raise Refused("You may not do this: you lack the right releases.propose_trust.")


def _reason(why: str) -> str:
    if not why.strip():
        raise Refused("Say why: who decides needs the reason.")
    return why.strip()


def _about(proposed: signers.Proposed) -> list[str]:
    lines = [f"Fingerprint {proposed.fingerprint}. Compare it with the owner by another way than this page."]
    if proposed.kind == TrustedSigner.Kind.CA:
        chain = authority.certificates(proposed.public_key)
        lines += [f"{authority.subject(one)}, valid until {one.not_valid_after_utc:%Y-%m-%d}." for one in chain]
        lines.append("Whoever it gives a codeSigning certificate may sign; the same subject counts once.")
    lines.append("Gateways follow when the signers they trust now have signed the new trust statement.")
    return lines


def _if_known(old: TrustedSigner | None, proposed: signers.Proposed) -> Sequence[str]:
    if old is None:
        return ()
    was: Mapping[str, Any] = {"label": old.label, "group": old.group}
    return [f"{name} was {value}." for name, value in was.items() if value != getattr(proposed, name)]


def _lost(signer: TrustedSigner, *, now: datetime) -> list[str]:
    """Ready releases that lean on this signer and have no more than the least number of signatures."""
    mine = Release.objects.filter(signatures__signer=signer, state=Release.State.READY).distinct()
    return [
        row.name
        for row in mine[:200]
        if row.signatures.exclude(signer=signer).filter(signer__active=True).count() < settings.RELEASE_THRESHOLD
    ]
