"""That the one who complains was cut shortly before. Who knows that is the app above: it puts itself into PARTED."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fleet.models import Ticket


@dataclass(frozen=True)
class Parting:
    """The sentence, and the page of what did it."""

    say: str
    link: str


Parted = Callable[[Sequence[Ticket]], Mapping[int, Parting]]
PARTED: list[Parted] = []


def partings(tickets: Sequence[Ticket]) -> dict[int, Parting]:
    """Ticket's id → how its user was cut."""
    return {pk: one for parted in PARTED for pk, one in parted(tickets).items()}
