"""A gateway of the pool that served: the balancer sends nobody new there any more. Nothing on it is touched."""

from __future__ import annotations

from datetime import timedelta

from fleet.errors import GiveUp
from fleet.phrases import count
from fleet.ports import Gateway
from fleet.traffic.ports import WHOLE
from upgrader.steps import pools
from upgrader.steps.allowance import overdue
from upgrader.steps.job import Done, Job, NotYet, Outcome
from upgrader.steps.presence import presence, said
from upgrader.steps.restore import LOGINS, counted


def preflight(job: Job, gateway: Gateway) -> Outcome:
    """Does it serve what the plan says, to new users too? Read only."""
    facts, seen = gateway.facts(), pools.front(job).state()
    pools.refuse_differing(job, seen)
    if facts.committed is None or facts.committed.release != job.from_release:
        serves = facts.committed.release if facts.committed else "nothing that is committed"
        raise GiveUp(
            f"{job.gateway} serves {serves}, and the plan that was approved says {job.from_release}. Draft the rollout"
            " anew.",
            code="not_as_planned",
        )
    if {(s.admin, s.weight) for peer in seen.peers for s in peer.servers} != {("ready", pools.OPEN)}:
        raise GiveUp(
            f"{job.gateway} is not open with weight {pools.OPEN} at its balancer, and a way back would make it so. Set"
            " it there, then resume.",
            code="not_open",
        )
    slot = facts.committed.slot
    return Done(
        f"{job.gateway} takes new users to {job.from_release} in slot {slot}, until the other pool is ready.",
        columns={"from_slot": slot, "to_slot": slot},
        facts=facts.raw,
    )


def shift(job: Job, gateway: Gateway) -> Outcome:
    """No new users from here on, as a trial that the balancer ends by itself. Who is on it stays."""
    before = list(job.before) or [session.id for session in gateway.sessions()]
    pools.send(job)
    return Done(
        f"No new users come to {job.gateway}; {count(len(before), 'user')} on it {pools.stay(len(before))}. Its"
        f" balancer opens it again by itself after {pools.trial_of(job)} s without us.",
        columns={
            "before": before,
            **({} if job.before else {"kept": len(before)}),
            "trial_until": job.now + timedelta(seconds=pools.trial_of(job)),
        },
    )


def commit(job: Job, gateway: Gateway) -> Outcome:
    """No new users for good; who left is not sent here again when he comes back."""
    if say := pools.lost(job):
        raise GiveUp(f"{say} Resume keeps new users away again; roll back gives it up.", code="went_back")
    pools.send(job, trial=False)
    pools.front(job).forget(WHOLE, keep=(), fence=job.fence)  # HAProxy keeps those who are connected by itself
    columns = presence(job, gateway)
    return Done(
        f"No new users come to {job.gateway} any more; {said(job, columns)}. It stays as it is.",
        columns={**columns, "trial_until": None},
        facts=gateway.facts().raw,
    )


def drain(job: Job, gateway: Gateway) -> Outcome:
    """Wait for few enough users, or for the agreed time. It stops nothing, so nobody is cut or asked."""
    if pools.takes_new(pools.front(job).state()):
        pools.send(job, trial=False)  # a balancer that was restarted may have forgotten it
    here, most = gateway.sessions(), job.spec.drain.sessions_max
    facts, columns = gateway.facts(), presence(job, gateway)
    left = count(len(here), "user")
    if len(here) <= most:
        say = f"{left} left on {job.gateway}" if here else f"{job.gateway} is empty"
        return Done(f"{say}; it stands idle with {job.from_release}.", columns=columns, facts=facts.raw)
    if overdue(job):
        say = f"The time agreed for it is over with {left} on {job.gateway}, who {pools.stay(len(here))}."
        return Done(say, columns=columns, facts=facts.raw)
    oldest = max((job.now.timestamp() - session.since for session in here), default=0.0)
    return NotYet(
        max(2, job.spec.poll_seconds),
        f"{left} still on {job.gateway}.",
        columns=columns,
        result={"sessions": len(here), "idle": 0, "oldest_seconds": max(0, int(oldest))},
        facts=facts.raw,
    )


def restore(job: Job, gateway: Gateway) -> Outcome:
    """New users come here again; then a login shows that they can."""
    pools.open_up(job)
    if not job.from_slot:
        return Done(f"Nothing was changed before {job.gateway}.")
    facts = gateway.facts()
    user, password = job.probe
    probed = gateway.probe(job.from_slot, user=user, password=password)
    if not probed.ok:
        say = f"{job.gateway} takes new users again, and a login there came as far as {probed.stage}: {probed.say}"
        if (failed := counted(job)["failed_logins"]) >= LOGINS:
            raise GiveUp(f"{say} Tried {failed} times. A person is needed.", code="not_verified")
        return NotYet(1, f"{say} It is tried again.", result=counted(job), facts=facts.raw)
    columns = presence(job, gateway)
    return Done(
        f"{job.gateway} takes new users to {job.from_release} again: login {probed.login_ms:.0f} ms,"
        f" {said(job, columns)}.",
        columns={**columns, "trial_until": None},
        facts=facts.raw,
    )
