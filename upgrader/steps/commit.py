"""Make the trial the steady state: from here a reboot comes back to the new release."""

from fleet.errors import GiveUp
from fleet.ports import Gateway
from upgrader.steps import front
from upgrader.steps.job import Done, Job, Outcome
from upgrader.steps.lost import lost
from upgrader.steps.presence import presence, said


def run(job: Job, gateway: Gateway) -> Outcome:
    if job.reloads:
        # A commit agrees to what the slot runs with: it must run with it still, however long nobody was here.
        gateway.reload(job.to_slot, job.conf, seconds=job.spec.trial_seconds, fence=job.fence)
    went_back(job, gateway)
    gateway.commit(job.to_slot, fence=job.fence)
    front.send_to(job, job.to_slot)
    columns = presence(job, gateway)
    facts = gateway.facts()
    if job.conf and facts.agreed_conf != job.conf:
        # Its trial was over before the commit came; what was committed is not what was agreed.
        say = f"{job.gateway} went back to the configuration before by itself, and that one is committed there"
        raise GiveUp(f"{say}. Roll back, then draft it anew; a resume would find the same.", code="conf_differs")
    return Done(
        f"{job.gateway} serves {job.release} for good; {said(job, columns)}.",
        # In place there is no old slot any more: going back from here cuts everybody, so a person is asked.
        columns={**columns, "trial_until": None, **({"old_retired_at": job.now} if job.way == "in_place" else {})},
        facts=facts.raw,
    )


def went_back(job: Job, gateway: Gateway) -> None:
    """Give up where nobody came to renew the trial in time: the gateway decided for itself, and it is believed."""
    if job.reloads or job.trial_until is None or job.now < job.trial_until:
        return
    if sentence := lost(job, gateway.facts(), waited=0.0):
        raise GiveUp(f"{sentence} Resume sends its new users there again; roll back gives it up.", code="went_back")
