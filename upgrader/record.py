"""What calls a person about the record: nothing is signed any more, or its copies are behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.urls import reverse

from approvals import checkpoints, copies
from fleet import alerts
from fleet.alerts import Call
from upgrader import live

KINDS = ("record", "copies")
OVER = "The record is signed and copied again."
WAY_ON = "Nothing is signed until a person has said how it goes on: docs/record.md."


def note(*, now: datetime) -> int:
    """Open and end alerts, so that they are what calls a person now; return how many that were."""
    written = alerts.settle(standing(now), now=now, kinds=KINDS, over=OVER)
    if written:
        live.publish("inbox")
    return written


def standing(now: datetime) -> Iterator[Call]:
    """Everything about the record that calls a person now."""
    halted = checkpoints.halts()
    for halt in halted:
        yield _call("record", f"record:{halt.kind}", f"{halt.say} {WAY_ON}")
    last = checkpoints.last()
    if not halted and last is not None and now - last.at >= copies.LATE:
        at = last.at.strftime("%Y-%m-%d %H:%M UTC")
        yield _call(
            "record", "record:late", f"No checkpoint of the record was signed since {at}. Look at the worker's log."
        )
    for place in copies.standings():
        if place.late(now):
            yield _call("copies", f"record:{place.place}", place.sentence)


def _call(kind: str, subject: str, say: str) -> Call:
    return Call(kind, subject, "The record", say, reverse("audit"))
