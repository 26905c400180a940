"""Are enough different people there, and from the right groups? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from approvals.policy_spec import Need


@dataclass(frozen=True)
class Vote:
    """One yes. `accounts`: every account of the person, and of the one for whom he decided; `groups`: theirs."""

    accounts: frozenset[int]
    groups: frozenset[str] = frozenset()


def missing(needs: Sequence[Need], votes: Iterable[Vote]) -> tuple[Need, ...]:
    """Who is still needed; () when the quorum is there. Votes that share an account are one person's."""
    seats = _Seats([need.of for need in needs for _ in range(need.count)], persons(votes))
    empty = [group for number, group in enumerate(seats.groups) if not seats.place(number, set())]
    left = [(need.of, empty.count(need.of)) for need in needs]
    return tuple(Need(count, group) for group, count in left if count)


def persons(votes: Iterable[Vote]) -> list[Vote]:
    """One vote a person, with the groups of all his votes."""
    found: list[Vote] = []
    for vote in votes:
        same = [one for one in found if one.accounts & vote.accounts]
        accounts = vote.accounts.union(*(one.accounts for one in same))
        groups = vote.groups.union(*(one.groups for one in same))
        found = [one for one in found if one not in same] + [Vote(accounts, groups)]
    return found


@dataclass
class _Seats:
    """Who sits where: each seat is one group's ("": anybody's), each person has one."""

    groups: Sequence[str]
    people: Sequence[Vote]
    taken: dict[int, int] = field(default_factory=dict)  # person → seat

    def place(self, seat: int, tried: set[int]) -> bool:
        """Find a person for the seat; one who has another may be moved on (augmenting paths, Kuhn 1955)."""
        for number, vote in enumerate(self.people):
            if number in tried or (self.groups[seat] and self.groups[seat] not in vote.groups):
                continue
            tried.add(number)
            if number not in self.taken or self.place(self.taken[number], tried):
                self.taken[number] = seat
                return True
        return False
