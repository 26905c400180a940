"""What a gateway under observation is held against: its old slot, other gateways, its own past. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from upgrader.flow import OUTGOING
from upgrader.steps import apart, pools
from upgrader.steps.job import Job, SampleOf, Stored
from upgrader.steps.old import alone
from upgrader.steps.tally import added, besides


def new_slot(job: Job) -> int:
    """The slot with the new release; 0 where there is only the old one to compare it with."""
    return 0 if job.way == OUTGOING else job.to_slot


def tallied(job: Job, taken: Sequence[SampleOf]) -> dict[str, Any]:
    """The sums with this look in them, and what they are compared with."""
    tally = added(job.earlier.get("tally", {}), taken, to_slot=new_slot(job))
    if pools.paired(job) or job.stored is None:
        return tally  # the other pool is beside it
    tally |= whole(job, job.stored, tally)
    compare, first = job.spec.limits.compare, "weeks" not in tally
    if compare == "slots" or (compare == "best" and not alone(job)):
        return tally
    weeks = job.stored.weeks() if first and compare != "control" else None
    told = None
    if compare != "past":
        told = job.stored.others(float(tally.get("others", {}).get("until") or job.now.timestamp()))
    return besides(tally, told, weeks)


def whole(job: Job, stored: Stored, tally: dict[str, Any]) -> dict[str, Any]:
    """What is seen of the gateway as a whole, from outside above all."""
    compare = job.spec.limits.compare
    sizes = alone(job) or compare in ("control", "past")
    if (earlier := tally.get("apart")) is None:
        named = (*stored.sources(sizes=sizes), *(name for name in job.spec.limits.sources if name != "gateway"))
        since: dict[str, float] = dict.fromkeys(named, job.now.timestamp())
        return {"apart": apart.begun(stored.before(sizes=sizes), compare=compare, at=since)} if since else {}
    seen = stored.seen(earlier["until"], slot=0 if alone(job) else new_slot(job))
    return {"apart": apart.kept(earlier, seen)} if seen else {}
