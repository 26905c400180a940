"""Let the ocserv that serves read the configuration again: sessions stay, newcomers get the new one."""

from datetime import timedelta

from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    # Who is here is written down before anything changes: this is what must be kept.
    before = list(job.before) or [session.id for session in gateway.sessions()]
    already = gateway.reload(job.to_slot, job.conf, seconds=job.spec.trial_seconds, fence=job.fence)
    number = job.config.number if job.config else 0
    return Done(
        f"Slot {job.to_slot} of {job.gateway} reads configuration {number}; it goes back by itself after"
        f" {job.spec.trial_seconds} s without us.",
        columns={
            "before": before,
            **({} if job.before else {"kept": len(before)}),
            "trial_until": job.now + timedelta(seconds=job.spec.trial_seconds),
        },
        result={"already": already},
        facts=gateway.facts().raw,
    )
