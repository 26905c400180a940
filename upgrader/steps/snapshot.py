"""Keep what the failed release left behind, for study: logs, configuration (secrets masked), process tables."""

from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    archive = gateway.snapshot()
    path = job.keep(f"{job.gateway}-{job.release}-{archive.sha256[:12]}.tar.gz", archive.data)
    return Done(
        f"Snapshot of {job.gateway} kept: {len(archive.files)} files, {len(archive.data) // 1024} KiB.",
        columns={"snapshot": path},
        result={"sha256": archive.sha256},
    )
