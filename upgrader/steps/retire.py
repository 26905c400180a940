"""Stop the empty slot. A user who came back meanwhile is a reason to wait, not to cut."""

from fleet.errors import GiveUp
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    slot = int(job.args["slot"])
    try:
        retired = gateway.retire(slot, cut_at_most=0, fence=job.fence)
    except GiveUp as no:
        if no.code != "has_sessions":
            raise
        return NotYet(max(2, job.spec.poll_seconds), no.say)
    return Done(
        f"Slot {slot} of {job.gateway} is retired; nobody was cut.",
        columns={"old_retired_at": job.now, "cut": [list(pair) for pair in retired.cut]},
        result={"already": retired.already},
        facts=gateway.facts().raw,
    )
