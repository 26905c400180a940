"""Who still stands behind a release: its kept signatures, verified anew each time that somebody wants to use it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from approvals import sql
from approvals.errors import Refused
from releases import signers, trust
from releases.models import ChannelPolicy, Release, Signature
from releases.policy import Policy, Seen, Vouched

_ABOUT = sql.Read(lambda: Release.objects.all(), ("name", "channel", "state", "state_reason", "sums"))
_KEPT: dict[int, tuple[tuple[object, ...], Seen]] = {}
"""What was seen last of each release, under all that it was found from."""


def seen(release: Release, *, now: datetime) -> Seen:
    """The release as policies look at it, read anew. Its signatures are verified anew where anything changed that
    they are verified with, and each minute: the same rows give the same answer, and verifying costs milliseconds.
    """
    asked = (*_ABOUT.get(release.pk), _signers(), _signatures(release.pk), int(now.timestamp()) // 60)
    if (kept := _KEPT.get(release.pk)) and kept[0] == asked:
        return kept[1]
    row = Release.objects.get(pk=release.pk)
    yanked = "" if row.state == Release.State.READY else row.state_reason or "no reason given"
    found = Seen(row.name, row.channel, yanked, vouched(row, now=now))
    _KEPT[release.pk] = (asked, found)
    return found


def _signers() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM releases_trustedsigner ORDER BY id")
        return list(cursor.fetchall())


def _signatures(release_id: int) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM releases_signature WHERE release_id = %s ORDER BY id", [release_id])
        return list(cursor.fetchall())


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
