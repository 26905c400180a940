"""No new users from the balancer in front, and wait until few enough are left to be cut. Nobody is cut here."""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.errors import GiveUp
from fleet.phrases import count
from fleet.ports import Gateway
from fleet.traffic.ports import Traffic
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    here = len(gateway.sessions())
    if job.traffic is None:
        return Done(f"No balancer stands in front of {job.gateway}: {count(here, 'user')} will be cut.")
    already = job.traffic.drain(fence=job.fence)
    at_front = job.traffic.sessions()
    until = deadline(job)
    say = f"{count(here, 'user')} still on {job.gateway}, {count(at_front, 'connection')} through its balancer"
    if not already and job.earlier.get("until"):
        say = f"{say}; a balancer had forgotten that it drains, and was told again"
    over = job.now >= until
    most = job.cut_at_most if over and job.spec.drain.at_deadline == "cut" else at_most(job)
    # Both must say so: a sign-in that is under way is a connection there before it is a session here.
    if here <= most and (at_front <= most or over):
        return Done(f"{say}. {count(most, 'user')} may be cut.", result={"sessions": here, "connections": at_front})
    if over:
        until = after_deadline(job, until, here=here)
    result = {"until": until.isoformat(), "extended": bool(job.earlier.get("extended")) or over}
    around = around_it(job, job.traffic, here)
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{say}.{around}",
        result={**result, "sessions": here, "connections": at_front},
        facts=gateway.facts().raw,
    )


def at_most(job: Job) -> int:
    """Users who may be left before the deadline: what the strategy allows, and never more than was approved."""
    return min(job.spec.drain.sessions_max, job.cut_at_most)


def deadline(job: Job) -> datetime:
    if until := job.earlier.get("until"):
        return datetime.fromisoformat(str(until))
    return job.now + timedelta(hours=job.spec.drain.deadline_hours)


def after_deadline(job: Job, until: datetime, *, here: int) -> datetime:
    """The next deadline where the strategy extends once; else people are asked."""
    drain = job.spec.drain
    if drain.at_deadline == "extend" and not job.earlier.get("extended"):
        return until + timedelta(hours=drain.extend_hours)
    raise GiveUp(
        f"{count(here, 'user')} are still on {job.gateway} at the deadline, and the plan allows {job.cut_at_most} to be"
        " cut. Nobody was. Resume waits as long again; skip or roll back sends new users there again.",
        code="drain_deadline",
    )


def around_it(job: Job, traffic: Traffic, here: int) -> str:
    """More users on the gateway than came through its balancer: some know another way in."""
    through = traffic.sessions()
    if here <= through:
        return ""
    return (
        f" {count(here - through, 'user')} came to {job.gateway} around the balancer; a drain does not keep those away."
    )
