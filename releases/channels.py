"""How far a release has come: candidate, staging, production. The only writer of Release.channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from approvals import audit, changes, rights
from approvals.changes import Applied
from approvals.errors import Refused
from approvals.models import Actor, Request, User
from releases import policy, standing
from releases.models import ChannelPolicy, MatrixCell, MatrixRun, Release

KIND = "release.pass"
ASK, AGREE = "releases.pass_release", "releases.approve_release"


def pass_on(release: Release, *, by: User, actor: Actor, now: datetime, reason: str) -> Request | None:
    """Pass a release on to the next channel. None: it is there. A request: a test is not green, so another person
    decides. Refused when the channel's policy says no."""
    seen = Release.objects.get(pk=release.pk)
    if not may_pass(by, seen):
        raise Refused(f"You may not pass a release on: you lack the right {ASK}.")
    to = _next(seen, now=now)
    gaps = open_gaps(seen, to)
    if not gaps:
        _move(seen, to, actor=actor, now=now, reason=reason, details={"tests": list(_asked(to))})
        return None
    if not reason.strip():
        raise Refused(f"Say why it may go to {to} although {len(gaps)} of its tests are not green: another decides.")
    return changes.propose(
        KIND,
        by=by,
        actor=actor,
        now=now,
        subject=f"release:{seen.pk}",
        scope=scope_of(to),
        payload={"release": seen.name, "digest": seen.digest, "from": seen.channel, "to": to, "gaps": gaps},
        title=f"Pass {seen.product} {seen.name} on to {to} although not every test is green",
        lines=[f"The signatures are as {to} asks for them.", *gaps],
        warning=f"{len(gaps)} of the tests that {to} asks for {'is' if len(gaps) == 1 else 'are'} not green.",
        why=reason.strip(),
    )


def may_pass(person: User, release: Release) -> bool:
    """Whether the person may pass the release on to where it goes next; after the last channel, to any."""
    return rights.may(person, ASK, scope_of(policy.next_channel(release.channel)))


def scope_of(channel: str) -> str:
    """Where rights over the channel are looked up; for one that has no policy only rights over everything count."""
    row = ChannelPolicy.objects.filter(channel=channel).first()
    return f"channel:{row.pk}" if row else rights.EVERYTHING


def apply_pass(applied: Applied) -> None:
    asked = applied.payload
    seen = Release.objects.get(name=asked["release"])
    if seen.digest != asked["digest"] or seen.channel != asked["from"]:
        raise Refused(f"{seen.name} is not where it was when this was asked. Ask again.")
    to = _next(seen, now=applied.now)
    if more := [gap for gap in open_gaps(seen, to) if gap not in asked["gaps"]]:
        raise Refused(f"Since this was asked: {' '.join(more)} Look at it and ask again.")
    details = {"in_spite_of": asked["gaps"], "asked_by": applied.asked_by.username}
    reason = f"{applied.decided_by.username} agreed in spite of {len(asked['gaps'])} tests that are not green."
    _move(seen, to, actor=applied.actor, now=applied.now, reason=reason, details=details)


def open_gaps(release: Release, to: str) -> list[str]:
    """What the tests of channel `to` still lack, one sentence each: never run, red, unclear."""
    gaps: list[str] = []
    for part in _asked(to):
        runs = _latest(release, part)
        if not runs:
            gaps.append(f"{part}: it was not run to its end yet.")
        for run in runs:
            gaps += _gaps_of(run)
    return gaps


def why_not_next(release: Release, *, now: datetime) -> str:
    """Why the release can't be passed on at all; "" when it can, or be asked for."""
    try:
        _next(release, now=now)
    except Refused as no:
        return no.say
    return ""


def _next(seen: Release, *, now: datetime) -> str:
    to = policy.next_channel(seen.channel)
    if not to:
        raise Refused(f"{seen.name} is in {seen.channel}; there is no channel after that.")
    facts, asked = standing.seen(seen, now=now), standing.policy_of(to)
    if facts.yanked:
        raise Refused(f"{seen.name} was withdrawn: {facts.yanked.rstrip('.')}. Choose another release.")
    if why := policy.why_not_signed(facts, asked, channel=to, floor=settings.RELEASE_THRESHOLD, now=now):
        raise Refused(why)
    return to


def _asked(to: str) -> Sequence[str]:
    found = standing.policy_of(to)
    return found.matrix if found else policy.PARTS


def _latest(release: Release, part: str) -> list[MatrixRun]:
    """The last run that came to its end, for each release that it was compared with."""
    done = MatrixRun.objects.filter(release=release, part=part, state=MatrixRun.State.DONE)
    latest: dict[str, MatrixRun] = {}
    for run in done.order_by("started_at", "pk"):
        latest[run.upgraded_from] = run
    return list(latest.values())


def _gaps_of(run: MatrixRun) -> list[str]:
    about = f"{run.part}{f', from {run.upgraded_from}' if run.upgraded_from else ''}"
    cells = list(run.cells.all())
    if not cells:
        return [f"{about}: the run has no results."]
    bad = [cell for cell in cells if cell.verdict != MatrixCell.Verdict.GREEN]
    return [f"{about}: {cell.test} is {cell.verdict}. {cell.say}".strip() for cell in bad]


def _move(seen: Release, to: str, *, actor: Actor, now: datetime, reason: str, details: dict[str, Any]) -> None:
    with transaction.atomic():
        # Compare-and-set: withdrawn or passed on in the meantime, it stays where it is.
        here = Release.objects.filter(pk=seen.pk, channel=seen.channel, state=Release.State.READY)
        if here.update(channel=to) != 1:
            raise Refused(f"Somebody was faster: {seen.name} is not in {seen.channel} any more. Look at it again.")
        about = {"before": seen.channel, "after": to, "digest": seen.digest, **details}
        audit.append("release.passed", subject=f"release:{seen.pk}", actor=actor, at=now, reason=reason, details=about)
