"""Who still stands behind a release: its kept signatures, verified anew each time that somebody wants to use it."""

from __future__ import annotations

from datetime import datetime

from approvals.errors import Refused
from releases import signers, trust
from releases.models import ChannelPolicy, Release, Signature
from releases.policy import Policy, Seen, Vouched


def seen(release: Release, *, now: datetime) -> Seen:
    """The release as policies look at it, read anew."""
    row = Release.objects.get(pk=release.pk)
    yanked = "" if row.state == Release.State.READY else row.state_reason or "no reason given"
    return Seen(row.name, row.channel, yanked, vouched(row, now=now))


def rows(release: Release) -> list[Signature]:
    return list(release.signatures.select_related("signer").order_by("name", "pk"))


def vouched(release: Release, *, now: datetime) -> list[Vouched]:
    """One entry a kept signature: who it is by, and why it does not count any more where it does not."""
    known, kept = signers.known(), rows(release)
    bad: dict[str, str] = {}
    good: dict[tuple[str, str], datetime] = {}
    for name, text in {row.name: row.text for row in kept}.items():
        try:
            for one in trust.in_file(name, text.encode(), release.sums.encode(), signers=known, now=now):
                good[name, one.identity] = one.signed_at
        except Refused as no:
            bad[name] = no.say
    return [
        Vouched(
            identity=row.identity,
            who=row.signer.label if row.identity == row.signer.fingerprint else row.identity,
            group=row.signer.group,
            signed_at=good.get((row.name, row.identity)),
            bad=bad.get(row.name, "" if (row.name, row.identity) in good else f"{row.name} is not by {row.identity}"),
        )
        for row in kept
    ]


def policy_of(channel: str) -> Policy | None:
    """The channel's policy as a value; None says no."""
    row = ChannelPolicy.objects.filter(channel=channel).first()
    if row is None:
        return None
    return Policy(row.channel, row.threshold, row.group, row.max_age_days, tuple(row.matrix))
