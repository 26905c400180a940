"""No new users from the balancer in front, and wait until few enough are left to be cut. Nobody is cut here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fleet.phrases import count
from fleet.ports import Gateway
from fleet.traffic.ports import Traffic
from upgrader.steps.allowance import deadline, overdue
from upgrader.steps.job import Done, Job, NotYet, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    here = len(gateway.sessions())
    if job.traffic is None:
        return Done(f"No balancer stands in front of {job.gateway}: {count(here, 'user')} will be cut.")
    already = job.traffic.drain(fence=job.fence)
    at_front, late = job.traffic.sessions(), overdue(job)
    say = f"{count(here, 'user')} still on {job.gateway}, {count(at_front, 'connection')} through its balancer"
    if not already and job.drain_until is not None:
        say = f"{say}; a balancer had forgotten that it drains, and was told again"
    most = at_most(job, late=late)
    # Both must say so: a sign-in that is under way is a connection there before it is a session here.
    if here <= most and (at_front <= most or late):
        over = {"drain_until": None}
        counted = {"sessions": here, "connections": at_front}
        return Done(f"{say}. {count(most, 'user')} may be cut.", columns=over, result=counted)
    columns, asks = deadline(job)
    if job.drain_until is None:
        columns = {"drain_until": job.now + timedelta(hours=job.spec.drain.deadline_hours)}
    around = around_it(job, job.traffic, here)
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{say}.{around}{asks}",
        columns=columns,
        result={"sessions": here, "connections": at_front, **(who(job, gateway) if late else {})},
        facts=gateway.facts().raw,
    )


def at_most(job: Job, *, late: bool) -> int:
    """Users who may be left: before the deadline what the strategy allows, after it what people agreed to, be it in
    the plan or since."""
    return job.cut_at_most if late else min(job.spec.drain.sessions_max, job.cut_at_most)


def who(job: Job, gateway: Gateway) -> dict[str, Any]:
    """Who is left: a person's to know when he is asked."""
    drain = gateway.drain(job.from_slot, names=True)
    return {
        "idle": drain.idle,
        "oldest_seconds": drain.oldest_seconds,
        "users": [{"user": left.user, "idle_seconds": left.idle_seconds} for left in drain.users],
    }


def around_it(job: Job, traffic: Traffic, here: int) -> str:
    """More users on the gateway than came through its balancer: some know another way in."""
    through = traffic.sessions()
    if here <= through:
        return ""
    return (
        f" {count(here - through, 'user')} came to {job.gateway} around the balancer; a drain does not keep those away."
    )
