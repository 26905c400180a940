"""Back to a release that the gateway no longer knows as its previous one, because another rollout was there since."""

from fleet.errors import GiveUp
from fleet.ports import Facts, Gateway, Restored
from upgrader.steps.job import Job


def remembers(job: Job, facts: Facts) -> bool:
    """Whether `restore previous` leads to the release that this upgrade came from."""
    return job.reloads or job.way == "in_place" or (facts.previous is not None and is_old(job, facts.previous.release))


def is_old(job: Job, release: str) -> bool:
    return release == job.from_release


def by_steps(job: Job, gateway: Gateway, facts: Facts) -> Restored:
    """Send new clients to a slot with the old release, which is started where it does not run, and keep it so."""
    slot, started = slot_of(job, gateway, facts)
    shifted = gateway.shift({slot: 100}, seconds=job.spec.trial_seconds, fence=job.fence)
    gateway.commit(slot, fence=job.fence)
    return Restored(slot, job.from_release, {slot: 100}, started, 0, shifted.applied_at, already=False)


def slot_of(job: Job, gateway: Gateway, facts: Facts) -> tuple[int, bool]:
    """The slot with the old release, and whether it had to be started."""
    running = [slot for slot in facts.slots if is_old(job, slot.release) and slot.state not in ("idle", "failed")]
    if running:
        return min(running, key=lambda slot: slot.slot != job.from_slot).slot, False
    idle = [slot.slot for slot in facts.slots if slot.state == "idle"]
    if not idle:
        raise GiveUp(
            f"{job.gateway} has no free slot to start {job.from_release} in again. Wait for a drain, then roll back.",
            code="no_slot_free",
        )
    return gateway.start(job.from_release, min(idle), fence=job.fence).slot, True
