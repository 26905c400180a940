"""Wait until the slot that no new client is sent to is empty. Nobody is cut here."""

from fleet.phrases import count
from fleet.ports import Facts, Gateway
from upgrader.steps import front
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    slot = int(job.args["slot"])
    # A balancer that was restarted may have forgotten it.
    front.send_to(job, job.to_slot if slot == job.from_slot else job.from_slot)
    facts = gateway.facts()
    here = [session.id for session in gateway.sessions() if session.slot == slot and session.id in job.before]
    if (was_here := job.earlier.get("here")) and not runs(facts, slot):
        return ended(job, facts, slot=slot, lost=len(was_here))
    drain = gateway.drain(slot)
    if drain.sessions == 0 and drain.cookies == 0:
        return Done(f"Slot {slot} of {job.gateway} is empty.", facts=facts.raw)
    left = f"{drain.sessions} users" if drain.sessions != 1 else "1 user"
    waiting = f"{left} still on slot {slot} of {job.gateway}"
    if drain.sessions == 0:
        waiting = f"Slot {slot} of {job.gateway} is empty; {drain.cookies} users may still come back to it"
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{waiting}.",
        result={
            "sessions": drain.sessions,
            "oldest_seconds": drain.oldest_seconds,
            "cookies": drain.cookies,
            "here": here,
        },
        facts=facts.raw,
    )


def runs(facts: Facts, number: int) -> bool:
    return any(slot.slot == number and slot.state not in ("idle", "failed") for slot in facts.slots)


def ended(job: Job, facts: Facts, *, slot: int, lost: int) -> Outcome:
    """The slot is empty because its ocserv is gone: who was on it when we last looked lost his session."""
    say = f"Slot {slot} of {job.gateway} ended by a reboot or a crash with {count(lost, 'user')} on it."
    return Done(
        f"{say} Their sessions are lost; they sign in anew.", columns={"kept": job.kept - lost}, facts=facts.raw
    )
