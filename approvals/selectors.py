"""What pages read of the record. Reads only."""

from __future__ import annotations

from approvals.models import AuditEvent, Request
from approvals.record_filter import EventFilter as EventFilter
from approvals.record_filter import events as events
from approvals.story import Told, tell


def events_about(asked: Request) -> list[Told]:
    """What happened to one request, newest first; its subject may have had others."""
    rows = AuditEvent.objects.filter(subject=asked.subject, at__gte=asked.requested_at).order_by("-seq")[:100]
    told = [tell(row) for row in rows]
    return [entry for entry in told if entry.details.get("request") in (None, asked.pk)]


def told_of(subject: str, most: int = 50) -> list[Told]:
    """What the record says of one thing, newest first."""
    return [tell(row) for row in AuditEvent.objects.filter(subject=subject).order_by("-seq")[:most]]
