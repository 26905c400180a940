"""What the steps ask of the balancer in front. Without one, or where the gateway steers itself, nothing."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.errors import GiveUp, RetryLater
from fleet.ports import Facts, Gateway
from upgrader.flow import INCOMING
from upgrader.steps.job import Job


def refuse_strange(job: Job, facts: Facts) -> None:
    """Give up where the gateway or its balancer is not as the way in the plan needs it."""
    place = job.way in ("in_place", INCOMING)
    if place and facts.steers:
        raise GiveUp(
            f"{job.gateway} steers by nft, and the plan would replace its release in place: its balancer knows it as"
            " one server. Install ocgate with --in-place there, or name its slots' servers. Then draft it anew.",
            code="not_as_planned",
        )
    if not place and not facts.steers:
        raise GiveUp(
            f"{job.gateway} can't steer ({facts.steers_why}), and the plan that was approved counts on it. Draft the"
            " rollout anew: it then names the users who are cut.",
            code="not_as_planned",
        )
    if job.traffic and (differences := job.traffic.state().disagreements()):
        say = " ".join(difference.say for difference in differences)
        raise GiveUp(
            f"The balancers in front of {job.gateway} disagree. {say} Put them right, then resume.", code="peers"
        )


def send(job: Job, weights: Mapping[int, int], *, seconds: int = 0) -> None:
    """On the way "proxy": new users by these shares, for good or as a trial that each balancer ends by itself."""
    if job.way == "proxy" and job.traffic:
        job.traffic.steer(weights, seconds=seconds, fence=job.fence)


def send_to(job: Job, slot: int) -> None:
    """All new users to this slot, for good."""
    send(job, {one: 100 if one == slot else 0 for one in (job.from_slot, job.to_slot)})


def watched(job: Job, weights: Mapping[int, int], *, renew: bool) -> str:
    """Keep the balancer where the gateway is; a sentence where it is not. Never an error: its own clock runs."""
    if job.traffic is None:
        return ""
    try:
        seen = job.traffic.state()
        say = " ".join(difference.say for difference in seen.disagreements())
        if job.way == "proxy":
            shown = [{server.slot: server.weight for server in peer.servers} for peer in seen.peers]
            strayed = any(one.get(slot) != weight for one in shown for slot, weight in weights.items())
            if renew or strayed or not all(peer.trial_until for peer in seen.peers):
                send(job, weights, seconds=job.spec.trial_seconds)
    except (RetryLater, GiveUp) as failure:
        return failure.say
    return say


def back(job: Job) -> None:
    """Send new users back before the gateway is asked, where the old slot is there to take them."""
    if job.way == "proxy" and job.traffic:
        peers = job.traffic.state().peers
        if all((server := peer.server(job.from_slot)) and server.up for peer in peers):
            send_to(job, job.from_slot)
    elif job.traffic:
        job.traffic.drain(fence=job.fence)


def home(job: Job, gateway: Gateway, *, slot: int) -> None:
    """The old release serves again: it takes new users, and who has no session on the bad slot is not sent there."""
    if job.traffic is None:
        return
    if job.way == "proxy":
        send_to(job, slot)
        keep = {session.remote for session in gateway.sessions() if session.slot == job.to_slot}
        job.traffic.forget(job.to_slot, keep=keep, fence=job.fence)
    else:
        job.traffic.ready(fence=job.fence)
