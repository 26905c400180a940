"""Would the new release run with this gateway's configuration? Read only."""

from fleet.errors import GiveUp
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    checked = gateway.check(job.release, job.to_slot, over=job.over, conf=job.conf)
    notes = [f"{finding.level}: {finding.say}" for finding in checked.findings]
    if not checked.ok:
        errors = [finding.say for finding in checked.findings if finding.level == "error"]
        raise GiveUp(
            f"{job.release} would not run on {job.gateway}: {' '.join(errors)} Nothing was changed there.",
            code="check_failed",
        )
    return Done(f"{job.release} passes the checks of {job.gateway}.", result={"findings": notes})
