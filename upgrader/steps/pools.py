"""What both sides of a switch between two pools ask of the balancer that stands before them: docs/adr/0009.

Nothing of ours closes the last gateway of a backend, and a trial that is left alone ends with somebody taking new
users: the pool that served is opened again before the other one closes.
"""

from __future__ import annotations

from datetime import timedelta

from fleet.errors import GiveUp, RetryLater
from fleet.traffic.ports import WHOLE, Seen, Traffic
from upgrader.flow import INCOMING, OUTGOING
from upgrader.steps.job import Job

OPEN, SHUT = 100, 0  # weights
LONGER = 2


def paired(job: Job) -> bool:
    """Whether the gateway is of a switch between two pools."""
    return job.way in (INCOMING, OUTGOING)


def front(job: Job) -> Traffic:
    if job.traffic is None:
        say = f"{job.gateway} stands behind no balancer any more, and the plan that was approved counts on it."
        raise GiveUp(f"{say} Draft the rollout anew.", code="no_front")
    return job.traffic


def stay(users: int) -> str:
    return "stays until he leaves" if users == 1 else "stay until they leave"


def takes_new(seen: Seen) -> bool:
    return bool(seen.takes_new())


def trial_of(job: Job) -> int:
    """Seconds until the balancer goes back by itself.

    Twice as long where the new release is: it is renewed when half of the plain time is left over that, so whenever we
    are cut off, the pool that served is open again first.
    """
    return job.spec.trial_seconds * (LONGER if job.way == INCOMING else 1)


def send(job: Job, *, trial: bool = True) -> None:
    """What the switch makes of this gateway: the new side open, the old one shut."""
    if job.way == OUTGOING:
        close(job, seconds=trial_of(job) if trial else 0)
    else:
        open_up(job, seconds=trial_of(job) if trial else 0)


def open_up(job: Job, *, seconds: int = 0) -> None:
    front(job).steer({WHOLE: OPEN}, seconds=seconds, fence=job.fence)


def close(job: Job, *, seconds: int = 0) -> None:
    """RetryLater where nobody else behind the balancer would take new users."""
    traffic = front(job)
    if say := last(job, traffic.state()):
        raise RetryLater(say, code="last_open")
    traffic.steer({WHOLE: SHUT}, seconds=seconds, fence=job.fence)


def last(job: Job, seen: Seen) -> str:
    """Why this gateway must stay open, as a sentence; "" when it is shut already, or others are open."""
    alone = [peer.name for peer in seen.peers if not peer.others]
    if not alone or not takes_new(seen):
        return ""
    return f"{job.gateway} stays open: {alone[0]} has no other gateway in its backend that takes new users."


def down(seen: Seen) -> list[str]:
    """Names of the peers that find the gateway down."""
    return [peer.name for peer in seen.peers if not all(server.up for server in peer.servers)]


def refuse_differing(job: Job, seen: Seen) -> None:
    """Give up where the peers do not do the same."""
    if differences := seen.disagreements():
        say = " ".join(difference.say for difference in differences)
        raise GiveUp(f"The balancers in front of {job.gateway} disagree. {say} Put them right.", code="peers")


def over(job: Job, *, longer: float = 0.0) -> bool:
    """Whether the balancer's own time was over that many seconds ago."""
    return job.trial_until is not None and job.now >= job.trial_until + timedelta(seconds=longer)


def strayed(job: Job) -> bool:
    """Whether the balancer does not do what the switch made of this gateway. Raise as traffic does."""
    return takes_new(front(job).state()) == (job.way == OUTGOING)


def lost(job: Job) -> str:
    """The sentence when the balancer has gone back by itself; "" while it has not, or does not say."""
    try:
        if not over(job) or not strayed(job):
            return ""
    except (RetryLater, GiveUp):
        return ""  # its own clock runs, and the next look says
    now = "sends new users there again" if job.way == OUTGOING else "sends no new users there any more"
    return (
        f"The balancer before {job.gateway} heard nothing from us for {trial_of(job)} s and {now} by itself, as agreed;"
        " nobody was cut."
    )


def renewed(job: Job, *, due: bool) -> str:
    """Keep the balancer where the switch put it; a sentence where that can't be done. Its own clock runs."""
    try:
        seen = front(job).state()
        if due or takes_new(seen) == (job.way == OUTGOING) or not all(peer.trial_until for peer in seen.peers):
            send(job)
    except (RetryLater, GiveUp) as failure:
        return failure.say
    return " ".join(difference.say for difference in seen.disagreements())
