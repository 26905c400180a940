"""Wait until the slot that no new client is sent to is empty. Nobody is cut here."""

from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    slot = int(job.args["slot"])
    drain = gateway.drain(slot)
    facts = gateway.facts()
    if drain.sessions == 0 and drain.cookies == 0:
        return Done(f"Slot {slot} of {job.gateway} is empty.", facts=facts.raw)
    left = f"{drain.sessions} users" if drain.sessions != 1 else "1 user"
    waiting = f"{left} still on slot {slot} of {job.gateway}"
    if drain.sessions == 0:
        waiting = f"Slot {slot} of {job.gateway} is empty; {drain.cookies} users may still come back to it"
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{waiting}.",
        result={"sessions": drain.sessions, "oldest_seconds": drain.oldest_seconds, "cookies": drain.cookies},
        facts=facts.raw,
    )
