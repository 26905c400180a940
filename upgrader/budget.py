"""How much may be out or at risk at the same time: the blast radius, as arithmetic and as sentences. Pure.

A gateway is *out* that does not answer, is quarantined, is drained at its balancer, has failed in an upgrade, or is
under work. One on which the old release and the new both serve or could (ready, in a trial, observed) is not out, but
its sessions are *at risk*, as are those of all that are out. Equal is allowed; percents are rounded up, and at least 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fleet.phrases import count, listed

What = Literal["hand", "silent", "quarantined", "drained"]
SAID: dict[What, tuple[str, str]] = {
    "silent": ("does not answer", "do not answer"),
    "quarantined": ("is quarantined", "are quarantined"),
    "drained": ("is drained at its balancer", "are drained at their balancers"),
}


@dataclass(frozen=True)
class Use:
    """A gateway that is out or at risk, or one that would be."""

    gateway: int
    name: str
    pool: int
    sessions: int
    group: str = ""  # its redundancy group; "" has none
    out: bool = True  # False: its sessions are at risk only
    what: What = "hand"
    rollout: int = 0  # whose upgrade it is in; 0: nobody's


@dataclass(frozen=True)
class Limit:
    """What may be out at the same time of the fleet, of a pool, or of the gateways of one rollout."""

    whose: str  # "of the fleet", "of eu-west", "of rollout 12"
    gateways: int | None = None  # None: any number
    total: int = 0  # of how many
    percent: int | None = None  # where `gateways` comes from, for people
    sessions: int | None = None
    pool: int | None = None  # only gateways of this pool count
    only: frozenset[int] | None = None  # only these gateways count

    def counts(self, use: Use) -> bool:
        return self.pool in (None, use.pool) and (self.only is None or use.gateway in self.only)


@dataclass(frozen=True)
class Room:
    """How many of the gateways that were asked for fit, in their order, and why the next one does not."""

    fits: int
    say: str = ""


def share_of(percent: int, total: int) -> int:
    """Gateways of a percentage, rounded up; at least 1."""
    return max(1, -(-total * percent // 100))


def by_gateway(uses: Iterable[Use]) -> dict[int, Use]:
    """One entry a gateway: what is out rather than what is at risk, and an outage rather than work in hand."""
    found: dict[int, Use] = {}
    for use in uses:
        known = found.get(use.gateway)
        if known is None or (use.out, use.what != "hand") > (known.out, known.what != "hand"):
            found[use.gateway] = use
    return found


@dataclass
class Tally:
    """One limit and what counts against it; grows as gateways are let in."""

    limit: Limit
    uses: list[Use]
    out: int = field(init=False)
    sessions: int = field(init=False)

    def __post_init__(self) -> None:
        self.out = sum(use.out for use in self.uses)
        self.sessions = sum(use.sessions for use in self.uses)

    def why_not(self, use: Use, known: Use | None) -> str:
        """Why this one is too much; `known`: as it counts already."""
        limit = self.limit
        newly_out = use.out and not (known and known.out)
        if limit.gateways is not None and newly_out and self.out + 1 > limit.gateways:
            return f"Waits for room: {allows(limit)}; {said_of(self.uses, use.rollout, pool=use.pool)}."
        more = use.sessions - (known.sessions if known else 0)
        if limit.sessions is not None and more > 0 and self.sessions + more > limit.sessions:
            at_risk = f"{self.sessions:,} are now, and {use.name} has {use.sessions:,}"
            return f"Waits for room: {sessions_say(limit)}; {at_risk}."
        return ""

    def let_in(self, use: Use, known: Use | None) -> None:
        self.out += use.out and not (known and known.out)
        self.sessions += use.sessions - (known.sessions if known else 0)
        if known is None:
            self.uses.append(use)


def room(limits: Sequence[Limit], uses: Iterable[Use], wanted: Sequence[Use]) -> Room:
    """Let the gateways in one by one as long as each limit holds and no redundancy group has two out."""
    known = by_gateway(uses)
    tallies = [Tally(limit, [use for use in known.values() if limit.counts(use)]) for limit in limits]
    groups = {use.group: use for use in known.values() if use.group and use.out}
    for fits, use in enumerate(wanted):
        was = known.get(use.gateway)
        mine = [tally for tally in tallies if tally.limit.counts(use)]
        why = _group_why_not(use, groups) or next((say for tally in mine if (say := tally.why_not(use, was))), "")
        if why:
            return Room(fits, why)
        for tally in mine:
            tally.let_in(use, was)
        known[use.gateway] = use
        if use.out and use.group:
            groups[use.group] = use
    return Room(len(wanted))


def _group_why_not(use: Use, groups: dict[str, Use]) -> str:
    mate = groups.get(use.group) if use.out else None
    if mate is None or mate.gateway == use.gateway:
        return ""
    why = "is in hand" if mate.what == "hand" else SAID[mate.what][0]
    by = f" by rollout {mate.rollout}" if mate.what == "hand" and mate.rollout not in (0, use.rollout) else ""
    other = mate.name if mate.pool == use.pool else "a gateway of another pool"
    return f"{use.name} waits for {other}, which {why}{by}: both are of the group {use.group}."


def mates(uses: Iterable[Use]) -> list[Use]:
    """Those of the first redundancy group that has more than one here; none when there is none."""
    groups: dict[str, list[Use]] = {}
    for use in uses:
        if use.group:
            groups.setdefault(use.group, []).append(use)
    return next((group for group in groups.values() if len(group) > 1), [])


def allows(limit: Limit) -> str:
    """ "3 of 12 gateways of eu-west may be out (25 %)"."""
    share = f" ({limit.percent} %)" if limit.percent is not None else ""
    return f"{limit.gateways:,} of {count(limit.total, 'gateway')} {limit.whose} may be out{share}"


def sessions_say(limit: Limit) -> str:
    return f"{count(limit.sessions or 0, 'session')} {limit.whose} may be at risk"


def said_of(uses: Iterable[Use], rollout: int = 0, *, pool: int | None = None) -> str:
    """Who is out, and by whom: "2 are in hand by rollout 14, gw-07 does not answer". `rollout` is the one asking; of
    others than its `pool` only the number is said, for who reads it may not know them.
    """
    out = [use for use in uses if use.out]
    hands = Counter(use.rollout for use in out if use.what == "hand")
    parts = [
        f"{number} {'is' if number == 1 else 'are'} in hand by {'this rollout' if by == rollout else f'rollout {by}'}"
        for by, number in sorted(hands.items())
    ]
    for what, (one, more) in SAID.items():
        names = sorted(use.name for use in out if use.what == what and pool in (None, use.pool))
        if names:
            parts.append(f"{listed(names)} {one if len(names) == 1 else more}")
        if others := sum(use.what == what and pool not in (None, use.pool) for use in out):
            parts.append(f"{count(others, 'gateway')} of other pools {one if others == 1 else more}")
    return ", ".join(parts) or "none is out"
