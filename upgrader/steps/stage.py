"""Bring the release to the gateway, which checks signatures and hashes against its own pinned keys."""

from fleet.errors import GiveUp, RetryLater
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    try:
        staged = gateway.stage(job.files(), fence=job.fence, progress=job.progress)
    except RetryLater as cut:
        say = f"{cut.say} What it has of {job.release} is kept; sending goes on from there by itself."
        raise RetryLater(say, code=cut.code) from cut
    if staged.digest != job.digest:
        raise GiveUp(
            f"{job.gateway} holds another {job.release} (digest {staged.digest[:12]}, approved {job.digest[:12]}).",
            code="release_differs",
        )
    how = "was there already" if staged.already else "is verified and unpacked"
    return Done(f"{job.release} {how} on {job.gateway}.", result={"already": staged.already})
