"""Make the trial the steady state: from here a reboot comes back to the new release."""

from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    gateway.commit(job.to_slot, fence=job.fence)
    here = {session.id for session in gateway.sessions()}
    kept = len(here.intersection(job.before))
    facts = gateway.facts()
    return Done(
        f"{job.gateway} serves {job.release} for good; {kept} of {len(job.before)} sessions from before are still on.",
        columns={"kept": kept, "trial_until": None},
        facts=facts.raw,
    )
