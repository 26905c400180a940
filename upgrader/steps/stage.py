"""Bring the release to the gateway, which checks signatures and hashes against its own pinned keys."""

from dataclasses import replace

from fleet import bundles
from fleet.errors import GiveUp, RetryLater
from fleet.ports import Gateway, Staged
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    try:
        staged, instead = brought(job, gateway)
    except RetryLater as cut:
        say = f"{cut.say} What it has of {job.release} is kept; sending goes on from there by itself."
        raise RetryLater(say, code=cut.code) from cut
    if staged.digest != job.digest:
        raise GiveUp(
            f"{job.gateway} holds another {job.release} (digest {staged.digest[:12]}, approved {job.digest[:12]}).",
            code="release_differs",
        )
    how = "was there already" if staged.already else "is verified and unpacked"
    return Done(f"{job.release} {how} on {job.gateway}.{instead}", result={"already": staged.already})


def brought(job: Job, gateway: Gateway) -> tuple[Staged, str]:
    """Have the gateway fetch the bundle if it may, else send it; also why it was sent although it should be fetched."""
    files = job.files()
    try:
        return gateway.stage(files, fence=job.fence, progress=job.progress), ""
    except RetryLater as cut:
        if files.download is None or cut.code not in bundles.FAILED:
            raise
        why = cut.say.rstrip(".")
    staged = gateway.stage(replace(files, download=None), fence=job.fence, progress=job.progress)
    return staged, f" Its own download failed ({why}), so the rest went over SSH."
