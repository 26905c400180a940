"""Make the trial the steady state: from here a reboot comes back to the new release."""

from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome
from upgrader.steps.presence import presence, said


def run(job: Job, gateway: Gateway) -> Outcome:
    gateway.commit(job.to_slot, fence=job.fence)
    columns = presence(job, gateway)
    facts = gateway.facts()
    return Done(
        f"{job.gateway} serves {job.release} for good; {said(job, columns)}.",
        columns={**columns, "trial_until": None},
        facts=facts.raw,
    )
