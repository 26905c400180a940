"""Send a share of the new clients to the new slot, as a trial that the kernel ends by itself."""

import time
from datetime import timedelta

from fleet.errors import GiveUp
from fleet.ports import Gateway
from upgrader.steps import front
from upgrader.steps.job import Done, Job, Outcome


def weights(job: Job, share: int) -> dict[int, int]:
    """Shares of new clients in percent; the old slot keeps the rest."""
    return {job.from_slot: 100 - share, job.to_slot: share}


def run(job: Job, gateway: Gateway) -> Outcome:
    began, share = time.monotonic(), int(job.args["weight"])
    if job.way == "in_place":
        return Done(f"All new users on {job.gateway} come to {job.release} already: it runs nothing else.")
    # Who is here is written down before the first client is steered: this is what must be kept.
    before = list(job.before) or [session.id for session in gateway.sessions()]
    asked = job.now.timestamp() + time.monotonic() - began
    try:
        # Blue-green: each gateway counts what is left until the common moment, from when it is asked, by our clock.
        after_ms = max(0, round((float(job.args.get("at", 0)) - asked) * 1000))
        shifted = gateway.shift(weights(job, share), seconds=job.spec.trial_seconds, fence=job.fence, after_ms=after_ms)
    except GiveUp as no:
        if no.code != "slot_not_running":
            raise
        raise GiveUp(
            f"{job.release} ended by itself in slot {job.to_slot} of {job.gateway} soon after its start. No user was"
            " sent there. Roll back to keep its log for study, or resume to try it again.",
            code=no.code,
        ) from no
    front.send(job, weights(job, share), seconds=job.spec.trial_seconds)
    return Done(
        f"{share} % of new users on {job.gateway} go to {job.release}; it goes back by itself after"
        f" {job.spec.trial_seconds} s without us.",
        columns={
            "before": before,
            **({} if job.before else {"kept": len(before)}),
            "trial_until": job.now + timedelta(seconds=job.spec.trial_seconds),
        },
        result={
            "applied_at": shifted.applied_at,  # the gateway's clock
            "asked_at": round(asked, 3),  # ours, as the next
            "answered_at": round(job.now.timestamp() + time.monotonic() - began, 3),
            "already": shifted.already,
        },
    )
