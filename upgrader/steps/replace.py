"""Put the new release in the place of the old one, on a gateway that can't run both. This cuts who is left on it."""

from datetime import timedelta

from fleet.errors import GiveUp
from fleet.phrases import count
from fleet.ports import Gateway, Replacement
from upgrader.steps.job import Done, Job, NotYet, Outcome
from upgrader.steps.parted import parted


def wish(job: Job) -> Replacement:
    """The same each time: asked again, it prolongs the trial."""
    return Replacement(
        release=job.release,
        cut_at_most=job.cut_at_most,
        seconds=job.spec.trial_seconds,
        slot=job.to_slot,
        conf=job.conf,
        over=job.over,
    )


def run(job: Job, gateway: Gateway) -> Outcome:
    if job.traffic:
        # A balancer that was restarted since the drain would send new users to their cut.
        job.traffic.drain(fence=job.fence)
    there = gateway.sessions()
    before = list(job.before) or [session.id for session in there]
    try:
        replaced = gateway.replace(wish(job), fence=job.fence)
    except GiveUp as no:
        if no.code != "has_sessions":
            raise
        if job.traffic:
            return NotYet(max(2, job.spec.poll_seconds), no.say)
        raise GiveUp(
            f"{no.say} Nobody was cut. Resume when fewer are on it, or draft the rollout anew with their number.",
            code=no.code,
        ) from no
    columns = {"before": before, "trial_until": job.now + timedelta(seconds=job.spec.trial_seconds)}
    if not replaced.already:
        columns |= {"cut": [list(pair) for pair in replaced.cut], "kept": len(before) - len(replaced.cut)}
    cut = "nobody was cut" if not replaced.cut else f"{count(len(replaced.cut), 'user')} were cut, as approved"
    return Done(
        f"{job.release} serves on {job.gateway} in place of {job.from_release}; {cut}. It goes back by itself after"
        f" {job.spec.trial_seconds} s without us.",
        columns=columns,
        result={
            "already": replaced.already,
            "ready_ms": replaced.ready_ms,
            "cut": [] if replaced.already else parted(replaced.cut, there),
        },
        facts=gateway.facts().raw,
    )
