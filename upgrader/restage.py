"""The errand `restage`: bring a release again and put back what differs from its bundle."""

from __future__ import annotations

from dataclasses import replace

from django.utils import timezone

from fleet import errands, ports
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
    return f"{listed(names)} on {job.gateway.name} is as its signers made it again."
