"""The one way into the record, and the ways to read it back. No event, no action: both stand in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from django.db import connection

from approvals import sql
from approvals.chain import GENESIS, Entry, Finding, Head, Verified, actor_column, canonical, check, leaf, moment
from approvals.models import Actor, AuditEvent

_LOCK = 0x48616E64  # "Hand": the advisory lock of the record's tail
_WIDTHS = {"verb": 60, "subject": 80, "actor": 150}
_NUL = str.maketrans({"\x00": "\ufffd"})  # PostgreSQL stores no NUL


class NotInTransaction(Exception):
    """An event must stand or fall with what it records."""


def append(
    verb: str,
    *,
    subject: str,
    actor: Actor,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Add one event to the record and return it; two queries.

    `details` takes JSON types, aware datetimes and Decimals; TypeError or ValueError for anything else. Call it last
    in the transaction: from here to the commit nobody else can append. NotInTransaction outside of one.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction(f"{verb} of {subject} has no transaction to share with what it records")
    reason = reason.translate(_NUL)
    head = _locked_head()
    said = {"at": moment(at), "verb": verb, "subject": subject, "actor": asdict(actor), "reason": reason}
    body = canonical({**said, "details": details or {}, "seq": head.seq + 1, "prev": head.hash})
    event = AuditEvent(
        seq=head.seq + 1, at=at, verb=verb, subject=subject, actor=actor_column(asdict(actor)), reason=reason, body=body
    )
    for column, width in _WIDTHS.items():
        if len(getattr(event, column)) > width:
            raise ValueError(f"{column} of an event is longer than {width} characters: {getattr(event, column)!r}")
    event.prev_hash, event.hash = head.hash, leaf(body)
    sql.insert(event)
    return event


def verify() -> Finding | None:
    """Return the first entry of the record that is wrong, or None. Reads each row once, a few at a time."""
    return walk().finding


def walk(*, trusted: Head | None = None) -> Verified:
    """Verify the record, against an earlier head too if one is given; see chain.check."""
    return check(_entries(), trusted=trusted)


def export(out: TextIO) -> int:
    """Write the record as JSON lines, one an event, that `python -m approvals.verify` reads; return how many."""
    count = 0
    for entry in _entries():
        line = {"seq": entry.seq, "prev_hash": entry.prev_hash, "hash": entry.hash, **entry.columns, "body": entry.body}
        out.write(json.dumps(line, ensure_ascii=False) + "\n")
        count += 1
    return count


def _locked_head() -> Head:
    with connection.cursor() as cursor:
        tail = "SELECT seq, hash FROM approvals_auditevent ORDER BY seq DESC LIMIT 1"
        if connection.vendor == "postgresql":
            # One round trip, two statements: the second takes its snapshot only when the lock is ours. Within one
            # statement it would be taken before the wait, and two writers would find the same tail.
            cursor.execute(f"SELECT pg_advisory_xact_lock({_LOCK}); {tail}")  # noqa: S608 - constants only
            cursor.nextset()
        else:
            cursor.execute(tail)  # SQLite: BEGIN IMMEDIATE made us the only writer already
        row = cursor.fetchone()
    return Head(*row) if row else Head(0, GENESIS)


def _entries() -> Iterator[Entry]:
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=500):
        columns = {"at": moment(event.at.astimezone(UTC)), "verb": event.verb, "subject": event.subject}
        columns |= {"actor": event.actor, "reason": event.reason}
        yield Entry(event.seq, event.body, event.prev_hash, event.hash, columns)
