"""How many users the end of a drain may cut, and whether its time is over. Pure."""

from __future__ import annotations

from upgrader.steps.job import Job


def overdue(job: Job) -> bool:
    return job.drain_until is not None and job.now >= job.drain_until


def allowed(job: Job) -> int:
    """Equal is allowed. What people agreed to counts at any time, what the strategy cuts only after the deadline."""
    if job.args.get("back"):
        return 0  # the slot of a release that was taken back: nobody agreed to cut anyone there
    drain = job.spec.drain
    agreed = max(drain.sessions_max, job.cut_at_most)
    return max(agreed, drain.cut_at_most) if overdue(job) and drain.at_deadline == "cut" else agreed
