"""The errand `restage`: bring a release again and put back what differs from its bundle."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from django.utils import timezone

from fleet import errands, ports
from fleet.drift import trees_of
from fleet.errors import GiveUp
from fleet.phrases import listed
from releases.models import Release
from upgrader.run import files_of


def restage(job: errands.Job, gateway: ports.Gateway) -> str:
    """Every release that the errand names; one that is not in the repository can't be brought."""
    names: list[str] = job.args["releases"]
    for name in names:
        release = Release.objects.filter(name=name).first()
        if release is None:
            say = f"{name} is not in the repository, so it can't be brought again. Add it on the page Releases."
            raise GiveUp(say, code="unknown_release")
        files = replace(files_of(release, job.gateway, now=timezone.now()), mend=True)
        gateway.stage(files, fence=job.fence, progress=job.progress)
    _adopted_no_more(job, names)
    return f"{listed(names)} on {job.gateway.name} is as its signers made it again."


def _adopted_no_more(job: errands.Job, names: list[str]) -> None:
    """Other files of these releases may have been adopted earlier: the bundle's count again."""
    row = job.gateway.agreements.filter(code="release.adopted").first()
    kept = {release: tree for release, tree in trees_of(row.shown if row else "").items() if release not in names}
    shown = "\n".join(f"{release} {tree}" for release, tree in sorted(kept.items()))
    if row is not None and shown != row.shown:
        job.agreed("release.adopted", hashlib.sha256(shown.encode()).hexdigest(), shown)
