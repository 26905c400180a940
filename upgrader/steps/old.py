"""Is the old release still something to go back to? Pure. The rule is Flagger's: never onto one that is no better."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fleet.ports import Facts
from upgrader.flow import INCOMING
from upgrader.steps.job import Job, SampleOf

ENOUGH = 2  # failed logins in a row; one alone may be chance


def alone(job: Job) -> bool:
    """Whether one slot only is at work, so that there is no old one beside it."""
    return job.reloads or job.way in ("in_place", INCOMING)


def gone(job: Job, facts: Facts) -> str:
    """Why there is no old slot to go back to, as a sentence; "" while it runs."""
    slot = next((slot for slot in facts.slots if slot.slot == job.from_slot), None)
    if slot is None or slot.state in ("idle", "failed") or slot.release != job.from_release:
        return f"{job.from_release} no longer runs in slot {job.from_slot} of {job.gateway}."
    return ""


def still(job: Job, facts: Facts) -> str:
    """What is known of the old slot when the new one is not watched any more."""
    if job.way == "in_place":
        return str(off_disk(job, facts)["old"])
    return "" if alone(job) else gone(job, facts) or str(job.earlier.get("old", ""))


def off_disk(job: Job, facts: Facts) -> dict[str, Any]:
    """The same in place, where nothing of the old release runs: it must still lie there to be started again.

    Only what was there counts as gone: a release that came with the host is in no list.
    """
    there = job.from_release in facts.releases
    if there or not job.earlier.get("old_there"):
        return {"old": "", "old_there": there}
    say = f"{job.from_release} was taken off {job.gateway}, so nothing is there to be started again."
    return {"old": say, "old_there": True}


def trouble(job: Job, facts: Facts, taken: Iterable[SampleOf]) -> dict[str, Any]:
    """The result's fields about the old slot: `old`, a sentence or "", and what it is counted from."""
    if job.way == "in_place":
        return off_disk(job, facts)
    if alone(job):
        return {"old": ""}
    mine = [sample.values for sample in taken if sample.slot == job.from_slot]
    failed = [values for values in mine if values.get("probe_ok") is False]
    row = int(job.earlier.get("old_failed", 0)) + 1 if failed else 0
    restarts = max((int(values.get("restarts", 0)) for values in mine), default=0)
    first = int(job.earlier.get("old_restarts", restarts))
    return {
        "old": say(job, facts, failed=failed, row=row, more=restarts - first),
        "old_failed": row,
        "old_restarts": first,
    }


def say(job: Job, facts: Facts, *, failed: list[Any], row: int, more: int) -> str:
    where = f"slot {job.from_slot} of {job.gateway}"
    if sentence := gone(job, facts):
        return sentence
    if more > 0:
        return f"{job.from_release} in {where} restarted {more} times since it is watched."
    if row >= ENOUGH:
        last = failed[-1].get("probe_say", "")
        return f"The last {row} logins on {where}, which runs {job.from_release}, failed. {last}".strip()
    return ""
