"""A gateway of the idle pool: it gets the release while nobody is on it, then the balancer sends new users there."""

from __future__ import annotations

import time
from datetime import timedelta

from fleet.errors import GiveUp, RetryLater
from fleet.phrases import count
from fleet.ports import Facts, Gateway
from fleet.traffic.ports import WHOLE
from upgrader.steps import pools
from upgrader.steps import preflight as plain
from upgrader.steps import probe as plain_probe
from upgrader.steps.job import Done, Job, NotYet, Outcome
from upgrader.steps.presence import presence, said
from upgrader.steps.replace import wish

AGAIN = 0.2  # seconds until the pool that served is asked for again


def preflight(job: Job, gateway: Gateway) -> Outcome:
    """Is it as the plan saw it, and does nobody new reach it? Read only."""
    seen = pools.front(job).state()
    pools.refuse_differing(job, seen)
    if pools.takes_new(seen):
        raise GiveUp(
            f"{job.gateway} takes new users at its balancer, so its pool is not the idle one. Set its weight to 0"
            " there, then resume.",
            code="not_idle",
        )
    if not has_it(job):
        return plain.run(job, gateway)
    facts = gateway.facts()
    if facts.committed is None or facts.committed.release != job.release:
        raise GiveUp(
            f"{job.gateway} does not serve {job.release} any more, as the plan says. Draft the rollout anew.",
            code="not_as_planned",
        )
    slot = facts.committed.slot
    say = f"{job.gateway} has {job.release} in slot {slot} already, and nobody new reaches it."
    return Done(say, columns={"from_slot": slot, "to_slot": slot}, facts=facts.raw)


def has_it(job: Job) -> bool:
    return job.from_release == job.release and not job.conf


def probe(job: Job, gateway: Gateway) -> Outcome:
    """One real login before any user is sent there."""
    still_there(job, gateway)
    return plain_probe.run(job, gateway)


def still_there(job: Job, gateway: Gateway) -> None:
    """Put the release there again if its trial has ended by itself, on hold for one; it cuts no more than agreed."""
    committed = gateway.facts().committed
    if committed is None or (committed.slot, committed.release) != (job.to_slot, job.release):
        gateway.replace(wish(job), fence=job.fence)


def settle(job: Job, gateway: Gateway) -> Outcome:
    """Keep the release on the idle gateway; from here a reboot comes back to it. The balancer must find it up."""
    still_there(job, gateway)
    gateway.commit(job.to_slot, fence=job.fence)
    facts = gateway.facts()
    if job.conf and facts.agreed_conf != job.conf:
        say = f"{job.gateway} keeps another configuration than the one that was approved."
        raise GiveUp(f"{say} Roll back, then draft it anew.", code="conf_differs")
    traffic = pools.front(job)
    traffic.steer({WHOLE: pools.SHUT}, fence=job.fence)  # first: a drained server may have another weight
    traffic.ready(fence=job.fence)
    if down := pools.down(traffic.state()):
        raise RetryLater(f"{', '.join(down)} finds {job.gateway} down still.", code="front_down")
    return Done(
        f"{job.gateway} keeps {job.release}, and no new user reaches it before all of its pool are ready.",
        columns={"trial_until": None},
        facts=facts.raw,
    )


def shift(job: Job, gateway: Gateway) -> Outcome:
    """The common moment: the balancer sends new users here, as a trial that it ends by itself."""
    began = time.monotonic()
    before = list(job.before) or [session.id for session in gateway.sessions()]
    seen = pools.front(job).state()  # so that its connection stands when the moment comes
    if down := pools.down(seen):
        raise GiveUp(f"{', '.join(down)} finds {job.gateway} down, so nobody was sent there.", code="front_down")
    asked = job.now.timestamp() + time.monotonic() - began
    time.sleep(max(0.0, float(job.args.get("at", 0)) - asked))
    pools.send(job)
    answered = job.now.timestamp() + time.monotonic() - began
    return Done(
        f"New users come to {job.release} on {job.gateway}; its balancer takes that back by itself after"
        f" {pools.trial_of(job)} s without us.",
        columns={
            "before": before,
            "kept": len(before),
            "trial_until": job.now + timedelta(seconds=pools.trial_of(job) + answered - job.now.timestamp()),
        },
        result={"asked_at": round(asked, 3), "answered_at": round(answered, 3)},
    )


def commit(job: Job, gateway: Gateway) -> Outcome:
    """New users come here for good."""
    if say := pools.lost(job):
        raise GiveUp(f"{say} Resume sends new users there again; roll back gives it up.", code="went_back")
    pools.send(job, trial=False)
    columns = presence(job, gateway)
    return Done(
        f"New users come to {job.release} on {job.gateway} for good; {said(job, columns)}.",
        columns={**columns, "trial_until": None},
        facts=gateway.facts().raw,
    )


def restore(job: Job, gateway: Gateway) -> Outcome:
    """Nobody new comes here any more, as soon as the pool that served takes them. Who is on it is not cut."""
    traffic = pools.front(job)
    if say := pools.last(job, traffic.state()):
        return NotYet(AGAIN, say)
    traffic.steer({WHOLE: pools.SHUT}, fence=job.fence)
    traffic.forget(WHOLE, keep=(), fence=job.fence)  # HAProxy keeps those who are connected by itself
    if not job.from_slot or not job.to_slot:
        return Done(f"Nothing was started on {job.gateway}, and nobody new reaches it.", columns={"trial_until": None})
    columns, facts = presence(job, gateway), gateway.facts()
    here = len(gateway.sessions())
    stay = f"{count(here, 'user')} on it {pools.stay(here)}" if here else "nobody is on it"
    return Done(
        f"Nobody new reaches {job.gateway}; {stay}, then it gets {job.from_release} again.",
        columns={**columns, "trial_until": None},
        facts=facts.raw,
    )


def retire(job: Job, gateway: Gateway) -> Outcome:
    """The release that was taken back ends, and the old one runs again. Nobody is cut for it."""
    facts = gateway.facts()
    to = what_to_restore(job, facts)
    if not to:
        return Done(f"{job.gateway} runs nothing of this rollout any more.", facts=facts.raw)
    try:
        gateway.restore("previous" if to == "previous" else "committed", fence=job.fence, cut_at_most=0)
    except GiveUp as no:
        if no.code != "has_sessions":
            raise
        return NotYet(max(2, job.spec.poll_seconds), no.say)
    return Done(f"{job.gateway} has {job.from_release} again; nobody was cut.", facts=gateway.facts().raw)


def what_to_restore(job: Job, facts: Facts) -> str:
    """previous, committed, or "" where nothing of ours is to be taken back: a later rollout's is not touched."""
    if has_it(job) or facts.committed is None:
        return ""
    if (facts.committed.slot, facts.committed.release) == (job.to_slot, job.release):
        old = facts.previous is not None and facts.previous.release == job.from_release
        return "previous" if old else ""
    ours = any(
        slot.slot == job.to_slot and slot.release == job.release and slot.state != "idle" for slot in facts.slots
    )
    return "committed" if ours and facts.committed.release == job.from_release else ""
