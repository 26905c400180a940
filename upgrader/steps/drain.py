"""Wait until so few are left on the slot that no new client is sent to as may be cut. Nobody is cut here."""

import contextlib

from fleet.errors import GiveUp
from fleet.phrases import count
from fleet.ports import Drain, Facts, Gateway
from upgrader.steps import front
from upgrader.steps.allowance import allowed, deadline, overdue
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    slot = int(job.args["slot"])
    # A balancer that was restarted may have forgotten it.
    front.send_to(job, job.to_slot if slot == job.from_slot else job.from_slot)
    facts = gateway.facts()
    here = [session.id for session in gateway.sessions() if session.slot == slot and session.id in job.before]
    if (was_here := job.earlier.get("here")) and not runs(facts, slot):
        return ended(job, facts, slot=slot, lost=len(was_here))
    late = overdue(job)  # who is left is a person's to know then
    drain = gateway.drain(slot, names=late)
    if say := enough(job, drain):
        return Done(say, facts=facts.raw)
    columns, over = deadline(job) if drain.sessions else ({}, "")
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{waiting(job, drain)}{over}",
        columns=columns,
        result={
            "sessions": drain.sessions,
            "idle": drain.idle,
            "users": [{"user": left.user, "idle_seconds": left.idle_seconds} for left in drain.users],
            "oldest_seconds": drain.oldest_seconds,
            "cookies": drain.cookies,
            "here": here,
            "told": told(job, gateway, slot=slot),
        },
        facts=facts.raw,
    )


def enough(job: Job, drain: Drain) -> str:
    """Why the drain is over, as a sentence; "" while it is not. Equal to what may be cut is enough."""
    where = f"slot {drain.slot} of {job.gateway}"
    if drain.sessions == 0 and (drain.cookies == 0 or overdue(job)):
        return f"Slot {drain.slot} of {job.gateway} is empty."
    if 0 < drain.sessions <= allowed(job):
        may = count(allowed(job), "user")
        return f"{count(drain.sessions, 'user')} left on {where}, and {may} may be cut there."
    return ""


def waiting(job: Job, drain: Drain) -> str:
    if drain.sessions == 0:
        return f"Slot {drain.slot} of {job.gateway} is empty; {drain.cookies} users may still come back to it."
    return f"{count(drain.sessions, 'user')} still on slot {drain.slot} of {job.gateway}."


def told(job: Job, gateway: Gateway, *, slot: int) -> bool:
    """Show the strategy's message to those who sign in on the slot again; a gateway that can't is none the worse."""
    if job.earlier.get("told") or not job.spec.drain.message or job.args.get("back"):
        return bool(job.earlier.get("told"))
    with contextlib.suppress(GiveUp):
        gateway.message(slot, job.spec.drain.message, fence=job.fence)
    return True


def runs(facts: Facts, number: int) -> bool:
    return any(slot.slot == number and slot.state not in ("idle", "failed") for slot in facts.slots)


def ended(job: Job, facts: Facts, *, slot: int, lost: int) -> Outcome:
    """The slot is empty because its ocserv is gone: who was on it when we last looked lost his session."""
    say = f"Slot {slot} of {job.gateway} ended by a reboot or a crash with {count(lost, 'user')} on it."
    return Done(
        f"{say} Their sessions are lost; they sign in anew.", columns={"kept": job.kept - lost}, facts=facts.raw
    )
