"""What pages read of the record. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.utils.http import urlencode

from approvals.models import AuditEvent, Request
from approvals.story import Told, tell


@dataclass(frozen=True)
class EventFilter:
    """What is looked for; an empty field asks for nothing. `since` and `until` are days, "2026-11-23", in UTC."""

    actor: str = ""
    verb: str = ""
    subject: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> EventFilter:
        return cls(**{field.name: str(query.get(field.name, "")).strip()[:80] for field in fields(cls)})

    @property
    def query(self) -> str:
        """The filter as a query string, for the links to other pages of the same list."""
        return urlencode({field.name: value for field in fields(self) if (value := getattr(self, field.name))})


def day(text: str) -> datetime | None:
    """Return the day's first moment in UTC, or None for what is no day: an unreadable filter filters nothing."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def events(asked: EventFilter) -> QuerySet[AuditEvent]:
    """Events that match, newest first."""
    rows = AuditEvent.objects.order_by("-seq")
    if asked.actor:
        rows = rows.filter(actor__icontains=asked.actor)
    if asked.verb:
        rows = rows.filter(verb__startswith=asked.verb)
    if asked.subject:
        rows = rows.filter(subject=asked.subject)
    if since := day(asked.since):
        rows = rows.filter(at__gte=since)
    if until := day(asked.until):
        rows = rows.filter(at__lt=until + timedelta(days=1))
    return rows


def events_about(asked: Request) -> list[Told]:
    """What happened to one request, newest first; its subject may have had others."""
    rows = AuditEvent.objects.filter(subject=asked.subject, at__gte=asked.requested_at).order_by("-seq")[:100]
    told = [tell(row) for row in rows]
    return [entry for entry in told if entry.details.get("request") in (None, asked.pk)]
