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
from approvals.models import Actor, AuditEvent, Checkpoint

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
    # Without step-up the body is what it was before there was any.
    who = {name: value for name, value in asdict(actor).items() if value or name not in ("strength", "proven")}
    said = {"at": moment(at), "verb": verb, "subject": subject, "actor": who, "reason": reason}
    body = canonical({**said, "details": details or {}, "seq": head.seq + 1, "prev": head.hash})
    event = AuditEvent(
        seq=head.seq + 1, at=at, verb=verb, subject=subject, actor=actor_column(who), reason=reason, body=body
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
    return check(entries(), trusted=trusted)


def part(first: int, last: int) -> Verified:
    """Verify events `first` to `last` alone, behind the one before them."""
    before = AuditEvent.objects.filter(seq=first - 1).values_list("seq", "hash").first()
    return check(entries(first, last), after=Head(*before) if before else None)


def export(out: TextIO) -> int:
    """Write the record as JSON lines that `python -m approvals.verify` reads: its checkpoints, then one line an event.
    Return how many events.

    The checkpoints are read first: what a checkpoint covers is there by then, whatever is appended meanwhile.
    """
    for note in Checkpoint.objects.order_by("number").values_list("note", flat=True).iterator(chunk_size=500):
        out.write(json.dumps({"checkpoint": note}, ensure_ascii=False) + "\n")
    count = 0
    for entry in entries():
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


def entries(first: int | None = None, last: int | None = None) -> Iterator[Entry]:
    """Events from `first` to `last`, or all of them, in order; a few at a time are in memory."""
    rows = AuditEvent.objects.order_by("seq")
    rows = rows if first is None else rows.filter(seq__gte=first)
    rows = rows if last is None else rows.filter(seq__lte=last)
    for event in rows.iterator(chunk_size=500):
        columns = {"at": moment(event.at.astimezone(UTC)), "verb": event.verb, "subject": event.subject}
        columns |= {"actor": event.actor, "reason": event.reason}
        yield Entry(event.seq, event.body, event.prev_hash, event.hash, columns)
