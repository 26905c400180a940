"""Watch both slots under the same traffic, and renew the trial while all is as it should be."""

import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fleet.errors import RetryLater
from fleet.ports import Gateway
from upgrader.steps import front
from upgrader.steps.job import Job, NotYet, Outcome, SampleOf
from upgrader.steps.lost import lost
from upgrader.steps.old import still, trouble
from upgrader.steps.presence import presence
from upgrader.steps.replace import wish
from upgrader.steps.shift import weights
from upgrader.steps.tally import added


def run(job: Job, gateway: Gateway) -> Outcome:
    asked = time.monotonic()
    try:
        facts = gateway.facts()
    except RetryLater as silence:
        misses = int(job.earlier.get("misses", 0)) + 1
        return NotYet(job.spec.poll_seconds, silence.say, result={**job.earlier, "misses": misses, "say": silence.say})
    if sentence := lost(job, facts, waited=time.monotonic() - asked):
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
        columns["trial_until"] = job.now + timedelta(seconds=job.spec.trial_seconds)
    columns |= presence(job, gateway)
    taken = samples(job, gateway)
    at_front = front.watched(job, weights(job, share), renew="trial_until" in columns)
    return NotYet(
        job.spec.poll_seconds,
        f"{job.gateway} is watched. {at_front}".rstrip(),
        columns=columns,
        result={
            "misses": 0,
            "lost": "",
            "weight": share,
            "front": at_front,
            "boot_id": facts.boot_id,
            "tally": added(job.earlier.get("tally", {}), taken, to_slot=job.to_slot),
            **trouble(job, facts, taken),
        },
        samples=taken,
        facts=facts.raw,
    )


def renew(job: Job, gateway: Gateway, *, share: int) -> None:
    """Let the trial last again: of the shift, or of what was reloaded."""
    if job.reloads:
        gateway.reload(job.to_slot, job.conf, seconds=job.spec.trial_seconds, fence=job.fence)
    elif job.way == "in_place":
        gateway.replace(wish(job), fence=job.fence)
    else:
        gateway.shift(weights(job, share), seconds=job.spec.trial_seconds, fence=job.fence)


def is_due(job: Job) -> bool:
    """Whether the trial must be renewed now."""
    return job.trial_until is None or job.trial_until - job.now < timedelta(seconds=job.spec.trial_seconds / 2)


def samples(job: Job, gateway: Gateway) -> tuple[SampleOf, ...]:
    """Counters of both slots, and one login on each."""
    user, password = job.probe
    taken = []
    for metrics in gateway.metrics():
        if metrics.slot not in (job.from_slot, job.to_slot):
            continue
        probed = gateway.probe(metrics.slot, user=user, password=password)
        values = asdict(metrics) | {
            "probe_ok": probed.ok,
            "probe_stage": probed.stage,
            "probe_say": probed.say,
            "login_ms": probed.login_ms,
            "handshake_ms": probed.handshake_ms,
        }
        taken.append(SampleOf(metrics.slot, metrics.release, values))
    return tuple(taken)
