"""The balancer sends new users again, once it finds the gateway up itself."""

from fleet.errors import RetryLater
from fleet.ports import Gateway
from upgrader.steps.job import Done, Job, Outcome


def run(job: Job, gateway: Gateway) -> Outcome:
    if job.traffic is None:
        return Done(f"New users reach {job.release} on {job.gateway}.", facts=gateway.facts().raw)
    already = job.traffic.ready(fence=job.fence)
    peers = job.traffic.state().peers
    if down := [peer.name for peer in peers if not all(server.up for server in peer.servers)]:
        raise RetryLater(f"{', '.join(down)} finds {job.gateway} down still.", code="front_down")
    return Done(
        f"The balancer sends new users to {job.release} on {job.gateway}.",
        result={"already": already},
        facts=gateway.facts().raw,
    )
