"""Start the new release in the free slot, beside the old one; no client is steered to it yet."""

from fleet.ports import Gateway
from upgrader.steps import front
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    # Before it runs: a balancer sends new users to whatever it finds up.
    front.send_to(job, job.from_slot)
    started = gateway.start(job.release, job.to_slot, over=job.over, conf=job.conf, fence=job.fence)
    return Done(
        f"{job.release} runs in slot {started.slot} of {job.gateway}, ready after {started.ready_ms} ms.",
        result={"pid": started.pid, "ready_ms": started.ready_ms, "already": started.already},
    )
