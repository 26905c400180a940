"""An auditor's sample: some of the changes that a filter selects, drawn so that anybody can draw the same again.

A change is a rollout, from its plan on, or a question to a second person about something else. They are ordered by
SHA-256("SEED:NUMBER"), where NUMBER is that of the event with which the change begins; the first ones are the sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.models import Q

from approvals.models import AuditEvent, EventAbout
from approvals.record_filter import EventFilter, events
from approvals.story import Told, tell

USUAL = 25
MOST = 200
BEGINS = ("rollout.drafted", "approval.asked")
EACH_MOST = 5_000  # events of one change that are handed out


@dataclass(frozen=True)
class Begun:
    """The event with which a change begins."""

    seq: int
    verb: str
    subject: str

    @property
    def rollout(self) -> bool:
        return self.subject.startswith("rollout:")


@dataclass(frozen=True)
class Drawn:
    """A sample, and what it was drawn from. `digest`: SHA-256 of the numbers of all changes, a line each."""

    seed: str
    size: int
    population: int
    digest: str
    upto: int
    changes: list[Begun]

    @property
    def said(self) -> dict[str, str | int | list[int]]:
        """For the record and the file: enough to draw it again."""
        return {
            "seed": self.seed,
            "size": self.size,
            "population": self.population,
            "population_sha256": self.digest,
            "upto": self.upto,
            "changes": [change.seq for change in self.changes],
        }


def order(numbers: Iterable[int], seed: str) -> list[int]:
    """The numbers in the order in which they are drawn. Pure."""
    return sorted(numbers, key=lambda number: hashlib.sha256(f"{seed}:{number}".encode()).digest())


def draw(asked: EventFilter, *, seed: str, size: int, upto: int) -> Drawn:
    """Draw from the changes that began among the events which the filter selects, up to event number `upto`."""
    all_of = {begun.seq: begun for begun in population(asked, upto)}
    listed = "".join(f"{number}\n" for number in sorted(all_of))
    chosen = [all_of[number] for number in order(all_of, seed)[: max(1, min(size, MOST))]]
    digest = hashlib.sha256(listed.encode()).hexdigest()
    return Drawn(seed, size, len(all_of), digest, upto, sorted(chosen, key=lambda change: change.seq))


def population(asked: EventFilter, upto: int) -> list[Begun]:
    """The changes that began among what the filter selects. A gateway selects the rollouts that had to do with it."""
    rows = events(replace(asked, gateway="")).filter(seq__lte=upto)
    begun = rows.filter(Q(verb="rollout.drafted") | (Q(verb="approval.asked") & ~Q(subject__startswith="rollout:")))
    found = [Begun(*values) for values in begun.values_list("seq", "verb", "subject")]
    if not asked.gateway:
        return found
    there = EventAbout.objects.filter(about=f"gateway:{asked.gateway}", event__lte=upto).values("event")
    with_it = set(EventAbout.objects.filter(event__in=there).values_list("about", flat=True).distinct())
    itself = set(there.values_list("event", flat=True))
    return [begun for begun in found if begun.subject in with_it or begun.seq in itself]


def events_of(change: Begun, upto: int) -> list[AuditEvent]:
    """What happened to it, oldest first."""
    rows = AuditEvent.objects.filter(seq__gte=change.seq, seq__lte=upto).order_by("seq")
    if change.rollout:
        about = EventAbout.objects.filter(about=change.subject, event__gte=change.seq, event__lte=upto)
        return list(rows.filter(seq__in=about.order_by("event").values_list("event", flat=True)[:EACH_MOST]))
    request = _request(AuditEvent.objects.get(seq=change.seq))
    return [row for row in rows.filter(subject=change.subject)[:EACH_MOST] if _request(row) in (None, request)]


def _request(event: AuditEvent) -> int | None:
    found = tell(event).details.get("request")
    return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Answer:
    """The four questions of an auditor about one change: who asked, who said yes, when, and how it ended."""

    change: Begun
    told: list[Told]

    @property
    def asked(self) -> Told:
        return self.told[0]

    @property
    def decided(self) -> list[Told]:
        return [one for one in self.told if one.verb in ("approval.approved", "approval.rejected")]

    @property
    def ended(self) -> Told:
        return next((one for one in reversed(self.told) if one.subject == self.change.subject), self.told[-1])
