"""Who is told when, and when nobody is: escalation and silences. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

GROUP_WAIT = 10.0
"""Seconds in which the first gateways of a group come together, so that the message names them."""


@dataclass(frozen=True)
class Step:
    """When one contact is told of an alert that nobody has acknowledged. Minutes; `again` 0: once."""

    after: int
    again: int

    def turn(self, seconds: float) -> int | None:
        """Which turn it is `seconds` after the alert began; None: not yet. What was missed meanwhile is left out."""
        late = seconds - 60 * self.after
        if late < 0:
            return None
        return int(late // (60 * self.again)) if self.again else 0


@dataclass(frozen=True)
class OnCall:
    """Who holds the on-call role on a pool, and who of them is on call now, by id. `here` is empty in a gap."""

    holders: frozenset[int]
    here: frozenset[int]

    def reaches(self, person: int | None) -> bool:
        """Whether a person's own contact is told: of those who hold the role only who is on call. In a gap all are:
        better too many than nobody. `person` None: the contact is nobody's own."""
        return person is None or person not in self.holders or not self.here or person in self.here


@dataclass(frozen=True)
class About:
    """What silences are held against. `gateways`: names; `what`: a rule's code, else the alert's kind."""

    what: str
    pool: int | None
    rollout: int | None
    gateways: Collection[str]


@dataclass(frozen=True)
class Match:
    """What a silence is about; None and "": all."""

    what: str = ""
    pool: int | None = None
    rollout: int | None = None
    gateway: str = ""

    def fits(self, about: About) -> bool:
        """Leaving aside which gateways."""
        return (
            self.what in ("", about.what)
            and self.pool in (None, about.pool)
            and self.rollout in (None, about.rollout)
            and (not self.gateway or self.gateway in about.gateways)
        )


def is_silent(about: About, silences: Iterable[Match]) -> bool:
    """Whether one of them covers it, or several do that are each about one of its gateways."""
    fitting = [one for one in silences if one.fits(about)]
    if any(not one.gateway for one in fitting):
        return True
    quiet = {one.gateway for one in fitting}
    return bool(about.gateways) and quiet >= set(about.gateways)
