"""Which complaints come from people whom an upgrade cut: by user or address, and by time. Reads only.

Who was cut stands in the result of the step that did it (upgrader/steps/parted.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.urls import reverse

from approvals import names
from fleet.models import Ticket
from fleet.phrases import duration
from fleet.tickets.match import plain
from fleet.tickets.partings import Parting
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import S

WITHIN = timedelta(minutes=30)  # after a cut a complaint is taken to be about it
EARLY = timedelta(minutes=1)  # a step is settled after it cut, and two clocks differ
STEPS = ("replace", "retire", "restore")
ROLLOUTS_MOST = 50


@dataclass(frozen=True)
class Cut:
    """One session that a rollout ended. `addresses`: the user's, as far as they are known, as match.plain has them."""

    rollout: int
    pool: int
    gateway: str
    at: datetime
    user: str
    addresses: frozenset[str]

    def is_of(self, ticket: Ticket) -> bool:
        """Whether the one who complains is the one who was cut, shortly before."""
        if ticket.pool_id not in (None, self.pool) or not -EARLY <= ticket.reported_at - self.at <= WITHIN:
            return False
        if ticket.user and self.user:
            return ticket.user.casefold() == self.user.casefold()
        return bool(ticket.address) and plain(ticket.address) in self.addresses

    def parting(self, ticket: Ticket) -> Parting:
        seconds = max(0.0, (ticket.reported_at - self.at).total_seconds())
        say = f"Cut on {self.gateway} {duration(seconds)} before, by rollout {self.rollout}."
        return Parting(say, reverse("rollout", args=[self.rollout]))


def of_tickets(tickets: Sequence[Ticket]) -> Mapping[int, Parting]:
    """Ticket's id → how its user was cut; a fleet.tickets.partings.Parted."""
    told = [ticket for ticket in tickets if ticket.user or ticket.address]
    if not told:
        return {}
    first, last = min(ticket.reported_at for ticket in told), max(ticket.reported_at for ticket in told)
    pools = {ticket.pool_id for ticket in told}
    rollouts = Rollout.objects.filter(since__gte=first - WITHIN, created_at__lte=last + EARLY)
    rollouts = rollouts if None in pools else rollouts.filter(pool__in=pools)
    found = cuts(rollouts.values_list("pk", flat=True)[:ROLLOUTS_MOST])
    return {one.pk: cut.parting(one) for one in told if (cut := newest(found, one)) is not None}


def newest(found: Iterable[Cut], ticket: Ticket) -> Cut | None:
    mine = [cut for cut in found if cut.is_of(ticket)]
    return max(mine, key=lambda cut: cut.at, default=None)


def cuts(rollouts: Collection[int] | Iterable[int]) -> list[Cut]:
    """Everybody whom these rollouts cut."""
    touched = Upgrade.objects.filter(wave__rollout__in=list(rollouts)).exclude(cut=[])
    steps = StepRun.objects.filter(upgrade__in=touched, name__in=STEPS, state=S.DONE, finished_at__isnull=False)
    rows = steps.values_list(
        "upgrade__wave__rollout", "upgrade__wave__rollout__pool", "upgrade__gateway__name", "finished_at", "result"
    )
    found = []
    for rollout, pool, gateway, at, result in rows:
        if at is None:
            continue
        for _, user, *known in result.get("cut", []):
            addresses = frozenset(plain(str(one)) for one in known if one)
            found.append(Cut(rollout, pool, gateway, at, user=str(user), addresses=addresses))
    # A step keeps pseudonyms; a name that was forgotten finds no complaint any more.
    told = names.behind(cut.user for cut in found)
    return [replace(cut, user=told.get(cut.user, cut.user)) for cut in found]
