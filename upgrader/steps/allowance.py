"""How many users the end of a drain may cut, and whether its time is over. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from upgrader.steps.job import Job


def overdue(job: Job) -> bool:
    return job.drain_until is not None and job.now >= job.drain_until


def deadline(job: Job) -> tuple[dict[str, Any], str]:
    """What the end of the agreed time does to a drain that goes on: the upgrade's columns, and a sentence."""
    if job.drain_until is None or not overdue(job) or job.args.get("back"):
        return {}, ""
    if job.spec.drain.at_deadline == "extend" and not job.drain_extended and job.spec.drain.extend_hours:
        until = job.now + timedelta(hours=job.spec.drain.extend_hours)
        say = f" Its time was over; by the strategy it goes on for {job.spec.drain.extend_hours:g} h more, once."
        return {"drain_until": until, "drain_extended": 1}, say
    return {}, " Its time is over: a person says whether it goes on or they are cut."


def allowed(job: Job) -> int:
    """Equal is allowed. What people agreed to counts at any time, what the strategy cuts only after the deadline."""
    if job.args.get("back"):
        return 0  # the slot of a release that was taken back: nobody agreed to cut anyone there
    drain = job.spec.drain
    agreed = max(drain.sessions_max, job.cut_at_most)
    return max(agreed, drain.cut_at_most) if overdue(job) and drain.at_deadline == "cut" else agreed
