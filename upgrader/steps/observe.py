"""Watch both slots under the same traffic, and renew the trial while all is as it should be."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fleet.errors import RetryLater
from fleet.ports import Facts, Gateway
from upgrader.flow import OUTGOING
from upgrader.steps import front, pools
from upgrader.steps.held import tallied
from upgrader.steps.job import Job, NotYet, Outcome
from upgrader.steps.look import taken_by
from upgrader.steps.lost import lost
from upgrader.steps.old import still, trouble
from upgrader.steps.presence import presence
from upgrader.steps.replace import wish
from upgrader.steps.shift import weights

HURRY_SECONDS, HURRIES = 1.0, 4


def run(job: Job, gateway: Gateway) -> Outcome:
    asked = time.monotonic()
    try:
        facts = gateway.facts()
    except RetryLater as silence:
        return unanswered(job, silence)
    if sentence := ended(job, facts, waited=time.monotonic() - asked):
        # Nothing is renewed: the gateway has decided for itself, and we believe it.
        return NotYet(
            job.spec.poll_seconds,
            sentence,
            result={**job.earlier, "misses": 0, "lost": sentence, "old": still(job, facts)},
            facts=facts.raw,
        )
    columns: dict[str, Any] = {}
    share = dict(facts.weights).get(job.to_slot, 0)
    if is_due(job):
        renew(job, gateway, share=share)
        columns["trial_until"] = job.now + timedelta(seconds=pools.trial_of(job))
    columns |= presence(job, gateway)
    look = taken_by(job, gateway, facts, began=asked)
    tally = tallied(job, look.samples)
    at_front = watched_in_front(job, share, renew="trial_until" in columns)
    return NotYet(
        again(tally, job.spec.poll_seconds),
        f"{job.gateway} is watched. {at_front}".rstrip(),
        columns=columns,
        result={
            "misses": 0,
            "lost": "",
            "weight": share,
            "front": at_front,
            "boot_id": facts.boot_id,
            "tally": tally,
            **look.said,
            **trouble(job, facts, look.samples),
        },
        samples=look.samples,
        facts=facts.raw,
    )


def unanswered(job: Job, silence: RetryLater) -> NotYet:
    misses = int(job.earlier.get("misses", 0)) + 1
    return NotYet(job.spec.poll_seconds, silence.say, result={**job.earlier, "misses": misses, "say": silence.say})


def ended(job: Job, facts: Facts, *, waited: float) -> str:
    """The sentence when the trial is over, on the gateway or at the balancer that leads its users elsewhere."""
    if job.way == OUTGOING:
        return pools.lost(job)
    return lost(job, facts, waited=waited) or (pools.lost(job) if pools.paired(job) else "")


def watched_in_front(job: Job, share: int, *, renew: bool) -> str:
    if pools.paired(job):
        return pools.renewed(job, due=renew)
    return front.watched(job, weights(job, share), renew=renew)


def again(tally: Mapping[str, Any], poll: float) -> float:
    """Seconds until the next look: soon after a login that failed on the new slot alone, to know whether it was chance.

    Only a few times in a row: what fails for longer is either judged by then or known to fail on both.
    """
    alone = 0 < tally["canary"]["run"] <= HURRIES and not tally["control"]["run"]
    return min(poll, HURRY_SECONDS) if alone else poll


def renew(job: Job, gateway: Gateway, *, share: int) -> None:
    """Let the trial last again: of the shift, or of what was reloaded."""
    if pools.paired(job):
        return  # it is the balancer's
    if job.reloads:
        gateway.reload(job.to_slot, job.conf, seconds=job.spec.trial_seconds, fence=job.fence)
    elif job.way == "in_place":
        gateway.replace(wish(job), fence=job.fence)
    else:
        gateway.shift(weights(job, share), seconds=job.spec.trial_seconds, fence=job.fence)


def is_due(job: Job) -> bool:
    """Whether the trial must be renewed now."""
    left = pools.trial_of(job) - job.spec.trial_seconds / 2
    return job.trial_until is None or job.trial_until - job.now < timedelta(seconds=left)
