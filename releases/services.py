"""What a person may do with releases: take in, withdraw; and what a gateway gets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from approvals import audit
from approvals.errors import Refused
from approvals.models import Actor, User
from fleet.models import Pool
from fleet.ports import ReleaseFiles
from releases import downgrades, manifest, policy, repository, signers, sources, standing, storage, trust
from releases.archive import Contents
from releases.models import Release, Signature, TrustedSigner
from releases.signatures import Signed
from releases.uploads import Upload


def take_in(
    came: Path | Upload, *, by: User | None, actor: Actor, now: datetime, tell: sources.Tell | None = None
) -> Release:
    """Check the release in a folder or an upload and keep it; the same release again gives the one that is here.

    Refused names the check that failed; nothing is kept then but the event that says so. Slow by the bundle's size.
    """
    try:
        if isinstance(came, Upload):
            return _take_in(came, came.folder, by=by, actor=actor, now=now)
        with repository.partial() as folder:
            return _take_in(sources.Folder(came, tell=tell), folder, by=by, actor=actor, now=now)
    except Refused as refusal:
        with transaction.atomic():
            audit.append("release.refused", subject="release:none", actor=actor, at=now, reason=refusal.say)
        raise


def files(release: Release, *, now: datetime) -> ReleaseFiles:
    """Return what a gateway needs to take `release`. Refused when it was withdrawn, too few of its signatures count
    today, or its bundle is gone. The gateway hashes and verifies all of it again. RetryLater when a storage elsewhere
    does not answer; slow by the bundle when it is fetched from there."""
    seen = Release.objects.get(pk=release.pk)
    facts, floor = standing.seen(seen, now=now), settings.RELEASE_THRESHOLD
    least = policy.Policy(seen.channel, threshold=floor, group="", max_age_days=0)
    if why := policy.why_not(facts, least, channel=seen.channel, floor=floor, now=now):
        raise Refused(why)
    kept = standing.rows(seen)
    out = {row.name for row, one in zip(kept, facts.vouched, strict=True) if one.bad}
    if (here := storage.size_of(seen.bundle)) != seen.size:
        raise Refused(
            f"The bundle of {seen.name} in the repository has {here} of {seen.size} bytes, so nothing was sent."
            " Add the release again, then resume."
        )
    return ReleaseFiles(
        release=seen.name,
        digest=seen.digest,
        manifest=seen.manifest,
        sums=seen.sums,
        changelog=seen.changelog,
        # A gateway wants every signature good that it is sent: those that no longer count stay here.
        signatures=tuple({row.name: row.text for row in kept if row.name not in out}.items()),
        bundle=storage.path_of(seen.bundle, sha256=seen.sha256),
        size=seen.size,
        sha256=seen.sha256,
        statements=downgrades.signed(seen, now=now),
        tree=seen.tree,
    )


def why_not_for(release: Release, pool: Pool, now: datetime) -> str:
    """Why the release may not run on the pool's gateways today; "" when it may. A few ms a signature."""
    facts, asked = standing.seen(release, now=now), standing.policy_of(pool.channel)
    return policy.why_not(facts, asked, channel=pool.channel, floor=settings.RELEASE_THRESHOLD, now=now)


def yank(release: Release, *, reason: str, actor: Actor, now: datetime) -> Release:
    """Withdraw a release: no gateway gets it any more. Nothing happens the second time."""
    if not reason.strip():
        raise Refused("Say why the release is withdrawn: whoever wanted it needs the reason.")
    with transaction.atomic():
        ready = Release.objects.filter(pk=release.pk, state=Release.State.READY)
        if ready.update(state=Release.State.YANKED, state_reason=reason):
            audit.append("release.yanked", subject=f"release:{release.pk}", actor=actor, at=now, reason=reason)
        return Release.objects.get(pk=release.pk)


def _take_in(source: repository.Source, folder: Path, *, by: User | None, actor: Actor, now: datetime) -> Release:
    received = repository.received(source, folder)
    good = _verified(received, now=now)
    said = repository.check_sums(received)
    contents = repository.check_bundle(received)
    if known := _known(said, received.digest):
        return _mended(known, received, actor=actor, now=now)
    release = _release(received, said, contents, by=by, now=now)
    repository.send_away(received)
    try:
        return _keep(release, received, good, actor=actor)
    except Exception as error:
        known = _known(said, received.digest)
        if known is None:
            repository.take_back(received)
        if known is None or not isinstance(error, IntegrityError):
            raise
        return known  # somebody else has taken in the same at the same moment


def _mended(known: Release, received: repository.Received, *, actor: Actor, now: datetime) -> Release:
    """A release that is here already; a bundle that was damaged in the repository is replaced by the one that came."""
    if repository.is_whole(known.bundle, known.sha256):
        return known
    repository.send_away(received)
    with transaction.atomic():
        reason = "Its bundle in the repository was damaged or gone; it was replaced."
        audit.append("release.mended", subject=f"release:{known.pk}", actor=actor, at=now, reason=reason)
        repository.keep(received)
    return known


def _verified(received: repository.Received, *, now: datetime) -> list[Signed]:
    threshold = settings.RELEASE_THRESHOLD
    return trust.verified(received.sums, received.signatures, signers=signers.known(), threshold=threshold, now=now)


def _known(said: manifest.Manifest, digest: str) -> Release | None:
    known = Release.objects.filter(name=said.release).first()
    if known and known.digest != digest:
        raise Refused(
            f"{said.release} is in the repository already, with the digest {known.digest[:12]}…; this one has "
            f"{digest[:12]}…. A release never changes: give the new one a new name."
        )
    if known and known.state != Release.State.READY:
        raise Refused(f"{said.release} was withdrawn: {known.state_reason}. Give a better one a new name.")
    return known


def _release(
    received: repository.Received, said: manifest.Manifest, contents: Contents, *, by: User | None, now: datetime
) -> Release:
    return Release(
        name=said.release,
        product=said.product,
        version=said.version,
        counter=said.counter,
        architecture=said.architecture,
        digest=received.digest,
        manifest=received.manifest.decode(),
        sums=received.sums.decode(),
        changelog=received.changelog.decode(),
        bundle=f"{received.digest}/{manifest.BUNDLE}",
        size=said.bundle_size,
        sha256=said.bundle_sha256,
        source=said.source,
        state_migration=said.state_migration,
        provenance=dict(said.provenance),
        tree=contents.tree,
        contents={"files": contents.files, "unpacked": contents.unpacked, "libraries": list(contents.libraries)},
        added_by=by,
        added_at=now,
    )


def _keep(release: Release, received: repository.Received, good: Sequence[Signed], *, actor: Actor) -> Release:
    """Write the rows, then rename the folder, then commit; the rows' uniqueness decides who owns the folder's name."""
    rows = {row.fingerprint: row for row in TrustedSigner.objects.all()}
    with transaction.atomic():
        release.save(force_insert=True)
        for signed in good:
            Signature.objects.create(
                release=release,
                name=signed.name,
                text=trust.text(signed.name, received.signatures[signed.name]),
                signer=rows[signed.fingerprint],
                identity=signed.identity,
                signed_at=signed.signed_at,
                verified_at=release.added_at,
            )
        details = {
            "name": release.name,
            "digest": release.digest,
            "sha256": release.sha256,
            "signers": [signed.identity for signed in good],
        }
        subject = f"release:{release.pk}"
        audit.append("release.added", subject=subject, actor=actor, at=release.added_at, details=details)
        repository.keep(received)
    return release
