"""Stop the slot that has drained. More users on it than may be cut are a reason to wait, not to cut them."""

from fleet.errors import GiveUp
from fleet.phrases import count
from fleet.ports import Gateway
from upgrader.steps.allowance import allowed
from upgrader.steps.job import Done, Job, NotYet, Outcome
from upgrader.steps.parted import parted


def run(job: Job, gateway: Gateway) -> Outcome:
    slot = int(job.args["slot"])
    # Where somebody may be cut, their addresses are noted before: nobody knows them after.
    there = gateway.sessions() if allowed(job) else ()
    try:
        retired = gateway.retire(slot, cut_at_most=allowed(job), fence=job.fence)
    except GiveUp as no:
        if no.code != "has_sessions":
            raise
        return NotYet(max(2, job.spec.poll_seconds), no.say)
    lost = {session for session, _ in retired.cut} & set(job.before)
    number = f"{count(len(retired.cut), 'user')} cut, as agreed" if retired.cut else "nobody was cut"
    return Done(
        f"Slot {slot} of {job.gateway} is retired; {number}.",
        columns={
            **({} if job.args.get("back") else {"old_retired_at": job.now}),
            "cut": [list(pair) for pair in (*job.cut, *retired.cut)],
            **({"kept": max(0, job.kept - len(lost))} if lost else {}),
        },
        result={"already": retired.already, "cut": parted(retired.cut, there)},
        facts=gateway.facts().raw,
    )
