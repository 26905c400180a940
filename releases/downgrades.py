"""The word *downgrade*, signed: without it no gateway takes a release that is lower than what it has run."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from approvals import audit, rights
from approvals import statement as statements
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Gateway
from fleet.ocgate.statement import canonical, drafted
from fleet.ports import Statement
from releases import channels
from releases.models import Downgrade, Release

GOOD_FOR = timedelta(days=30)
ASK, SIGN = "releases.pass_release", "releases.approve_release"


def latest(release: Release, *, now: datetime) -> Downgrade | None:
    """The statement that may be signed, or is."""
    return release.downgrades.filter(expires_at__gt=now).select_related("drawn_by").first()


def is_lower(release: Release) -> bool:
    """Whether a gateway may have run something higher: it says so, or there is something higher in the repository."""
    higher = Release.objects.filter(product=release.product, counter__gt=release.counter)
    return higher.exists() or Gateway.objects.filter(facts__counter__gt=release.counter).exists()


def draw(release: Release, *, by: User, actor: Actor, now: datetime) -> Downgrade:
    """Write the statement that approvers are to sign; while one is good, that one."""
    if not rights.may(by, ASK, channels.scope_of(release.channel)):
        raise Refused(f"You may not ask for a downgrade: you lack the right {ASK}.")
    if not is_lower(release):
        raise Refused(f"Nothing here has a higher counter than {release.name}: it needs no such word.")
    if standing := latest(release, now=now):
        return standing
    fields = drafted("downgrade", "*", made=now, lasts=GOOD_FOR)
    text = canonical({**fields, "digest": release.digest, "release": release.name})
    about = {"text": text, "drawn_by": by, "drawn_at": now, "expires_at": now + GOOD_FOR}
    with transaction.atomic():
        row = Downgrade.objects.create(release=release, **about)
        details = {"digest": release.digest, "expires": fields["expires"]}
        audit.append("downgrade.drawn", subject=f"release:{release.pk}", actor=actor, at=now, details=details)
    return row


def sign(row: Downgrade, signature: str, *, actor: Actor, now: datetime) -> str:
    """Keep an approver's signature over the statement; return his name. Once each, and not of the one who drew it."""
    if row.expires_at <= now:
        raise Refused("The statement expired. Draw a new one.")
    said = statements.signed(row.text, signature)
    if said.user.pk == row.drawn_by_id:
        raise Refused(f"{said.user.username} asked for this downgrade; somebody else must sign it.")
    if not rights.may(said.user, SIGN, channels.scope_of(row.release.channel)):
        raise Refused(f"{said.user.username} may not approve downgrades: that needs the right {SIGN}.")
    name = f"{said.name}.sig"
    with transaction.atomic():
        fresh = Downgrade.objects.select_for_update().get(pk=row.pk)
        if name not in [one["name"] for one in fresh.signatures]:
            fresh.signatures = [*fresh.signatures, {"name": name, "text": said.text}]
            fresh.save(update_fields=["signatures"])
            subject = f"release:{row.release_id}"
            audit.append("downgrade.signed", subject=subject, actor=actor, at=now, details={"by": said.name})
    return said.name


def lacking(row: Downgrade) -> str:
    """Why gateways would not take its word yet: too few approvers signed it; "" when they would."""
    return statements.lacking(statements.people_of(str(one["name"]) for one in row.signatures))


def missing(release: Release, *, now: datetime) -> str:
    """Why no gateway would be taken down to it today, with the way on; "" when the signed word is there."""
    row = latest(release, now=now)
    if row is None:
        return f"No statement of the downgrade is there yet. Draw it on the page of {release.name} and have it signed."
    lacks = lacking(row)
    return (
        f"The statement of the downgrade is not signed yet. {lacks} It is on the page of {release.name}."
        if lacks
        else ""
    )


def signed(release: Release, *, now: datetime) -> tuple[Statement, ...]:
    """What goes to gateways with the release; nothing while too few have signed."""
    row = latest(release, now=now)
    if row is None or lacking(row):
        return ()
    return (Statement(row.text, tuple((str(one["name"]), str(one["text"])) for one in row.signatures)),)
