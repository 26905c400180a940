"""What somebody looks for in the record, as it stands in the address; and the events that it selects. Reads only.

Each part of a filter narrows the numbers between which its events can be, by probes of an index; where it has few
events, by those numbers themselves. So a page costs the same however long the record is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.http import urlencode

from approvals import story
from approvals.models import AuditEvent, EventAbout

SLACK = timedelta(hours=1)
"""Who appends says when it happened: by so much the times may be out of the order of the numbers."""
ABOUT = ("rollout", "gateway", "release")
Span = tuple[int, int]
EVER: Span = (1, (1 << 62))
FEW = 3_000  # events whose numbers are asked for at once
WHEN = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?")


@dataclass(frozen=True)
class EventFilter:
    """What is looked for; an empty field asks for nothing.

    `since` and `until` are "2026-11-23" or "2026-11-23T14:05" by a clock in `zone` (an IANA name; "" is UTC). A day as
    `until` is meant whole. `verb` is an action, or the first part of several: "rollout.".
    """

    actor: str = ""
    verb: str = ""
    subject: str = ""
    rollout: str = ""
    gateway: str = ""
    release: str = ""
    since: str = ""
    until: str = ""
    zone: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> EventFilter:
        return cls(**{field.name: str(query.get(field.name, "")).strip()[:80] for field in fields(cls)})

    @property
    def said(self) -> dict[str, str]:
        """The fields that ask for something."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    @property
    def query(self) -> str:
        """The filter as a query string, for the links to other pages of the same list."""
        return urlencode(self.said)

    @cached_property
    def clock(self) -> ZoneInfo | None:
        """The zone of the times; None for a name that no zone has."""
        return ZoneInfo(self.zone or "UTC") if self.zone in ("", "UTC") or self.zone in available_timezones() else None

    @cached_property
    def begins(self) -> datetime | None:
        return moment_of(self.since, self.clock, late=False)

    @cached_property
    def ends(self) -> datetime | None:
        """The first moment that is not asked for any more."""
        return moment_of(self.until, self.clock, late=True)

    @cached_property
    def faults(self) -> list[str]:
        """What could not be read, and so filters nothing: a sentence each."""
        zone = [] if self.clock else [f"“{self.zone}” is no time zone, so the times are read as UTC."]
        bounds = ((self.since, self.begins), (self.until, self.ends))
        times = [f"“{text}” is no time, so it limits nothing. Write 2026-11-23 or 2026-11-23T14:05." for text in
                 (text for text, at in bounds if text and at is None)]  # fmt: skip
        number = bool(self.rollout) and not self.rollout.isdecimal()
        return zone + times + ([f"“{self.rollout}” is no rollout's number, so no event matches."] if number else [])


def moment_of(text: str, zone: ZoneInfo | None, *, late: bool) -> datetime | None:
    """Return the moment in UTC, or None for what is none. An hour that the clock shows twice begins with the first
    and, if `late`, ends with the second; a day ends, if `late`, with its last moment.
    """
    if not WHEN.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=zone or UTC, fold=int(late))
        if late and len(text) == len("2026-11-23"):
            at = (at.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=at.tzinfo)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def verbs_of(text: str) -> list[str]:
    """The known actions that begin with this; what is known under no name stands for itself."""
    found = [verb for verb in story.SAYS if verb.startswith(text)] if text.endswith(".") else []
    return found or [text]


def events(asked: EventFilter) -> QuerySet[AuditEvent]:
    """Events that match, newest first."""
    rows = AuditEvent.objects.order_by("-seq")
    span = _in_time(asked)
    few: set[int] | None = None
    for wanted, numbers in _parts(asked):
        span, found = _narrowed(numbers, span)
        if found is None:
            rows = rows.filter(wanted)
        else:
            few = found if few is None else few & found
    if asked.begins:
        rows = rows.filter(at__gte=asked.begins)
    if asked.ends:
        rows = rows.filter(at__lt=asked.ends)
    if few is not None:
        return rows.filter(seq__in=few)
    return rows if span == EVER else rows.filter(seq__gte=span[0], seq__lte=span[1])


Numbers = QuerySet[Any, int]
"""Numbers of events by an index that has them in their order."""


def _parts(asked: EventFilter) -> Iterator[tuple[Q | Exists, list[Numbers]]]:
    """Each part of the filter but the times: as a condition, and as the numbers of the events that meet it."""
    for name in ("actor", "subject"):
        if value := getattr(asked, name):
            yield Q(**{name: value}), [_by(**{name: value})]
    if asked.verb:
        verbs = verbs_of(asked.verb)
        yield Q(verb__in=verbs), [_by(verb=verb) for verb in verbs]
    for kind in ABOUT:
        if key := getattr(asked, kind):
            key = str(int(key)) if kind == "rollout" and key.isdecimal() else key
            about = EventAbout.objects.filter(about=f"{kind}:{key}")
            numbers = about.annotate(seq=F("event")).values_list("seq", flat=True)
            yield Exists(about.filter(event=OuterRef("seq"))), [numbers]


def _by(**column: str) -> Numbers:
    return AuditEvent.objects.filter(**column).values_list("seq", flat=True)


def _narrowed(numbers: list[Numbers], span: Span) -> tuple[Span, set[int] | None]:
    """The span in which they are, and the numbers themselves where they are few: then nothing else has to be walked.

    A database that has two indexes to choose from knows only how many rows they have in the middle: it would walk a
    million steps of the machine to find the one freeze among them.
    """
    found: list[int] = []
    within = [each.filter(seq__gte=span[0], seq__lte=span[1]) for each in numbers]
    for each in within:
        found += each.order_by("seq")[: FEW + 1 - len(found)]
    if len(found) <= FEW:
        return (min(found, default=1), max(found, default=0)), set(found)
    last = [number for each in within for number in each.order_by("-seq")[:1]]
    first = [number for each in within for number in each.order_by("seq")[:1]]
    return (min(first), max(last)), None


def _in_time(asked: EventFilter) -> Span:
    """The numbers between which events of that time can be."""
    by_time = AuditEvent.objects.order_by("at").values_list("seq", flat=True)
    low, high = EVER
    if asked.begins:
        low = next(iter(by_time.filter(at__gte=asked.begins - SLACK)[:1]), high)
    if asked.ends:
        high = next(iter(by_time.filter(at__lt=asked.ends + SLACK).reverse()[:1]), 0)
    return low, high


@dataclass(frozen=True)
class Page:
    """Some of the events, newest first, and where the list goes on; 0 where it does not."""

    events: list[AuditEvent]
    newer: int
    older: int


def page(asked: EventFilter, *, most: int, before: int = 0, after: int = 0) -> Page:
    """The newest `most` events that match and are older than number `before`, or the next ones newer than `after`."""
    rows = events(asked)
    if after:
        found = list(rows.filter(seq__gt=after).order_by("seq")[: most + 1])
        shown, more = found[:most][::-1], len(found) > most
        return Page(shown, newer=shown[0].seq if more and shown else 0, older=shown[-1].seq if shown else 0)
    found = list(rows.filter(seq__lt=before)[: most + 1] if before else rows[: most + 1])
    shown, more = found[:most], len(found) > most
    return Page(shown, newer=shown[0].seq if before and shown else 0, older=shown[-1].seq if more else 0)
