"""Readings into the database: many in one transaction, and each gateway's last counters with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from fleet.measured import SlotMetrics
from fleet.metrics import counters
from fleet.models import Gateway, Reading, Span, Watch

FINEST = min(Span.DEFAULTS)
FIRST_SECONDS = float(FINEST)  # a first look's counts are about nothing; its row needs a length all the same
PLACE = ("gateway_id", "span", "at", "slot")  # of a reading: the columns of its one index


@dataclass(frozen=True)
class Answer:
    """What one gateway said when it was asked, or why it did not."""

    gateway: int
    asked_at: float
    answered_at: float = 0.0
    slots: tuple[SlotMetrics, ...] = ()
    say: str = ""


class Store:
    """Writes answers. Keeps in memory how each gateway was left, and reads that once where it does not know."""

    def __init__(self) -> None:
        self._last: dict[int, Watch] = {}

    def write(self, answers: Sequence[Answer]) -> int:
        """Write the answers of gateways that still exist; return how many readings that made."""
        self._learn({answer.gateway for answer in answers} - self._last.keys())
        left = dict(self._last)
        readings: list[Mapping[str, Any]] = []
        for answer in sorted(answers, key=lambda one: one.asked_at):
            watch, rows = noted(left.get(answer.gateway), answer)
            left[answer.gateway] = watch
            readings += rows
        changed = [watch for pk, watch in left.items() if watch is not self._last.get(pk)]
        if not changed:
            return 0
        with transaction.atomic():
            known = self._present([watch.pk for watch in changed])
            insert(Reading, [row for row in readings if row["gateway_id"] in known], skip=True)
            upsert([watch for watch in changed if watch.pk in known])
        # Only what is written is remembered: after a failure the same counts are due again.
        self._last = {pk: watch for pk, watch in left.items() if pk in known or watch not in changed}
        return len(readings)

    def _learn(self, unknown: Iterable[int]) -> None:
        if unknown:
            self._last |= {watch.pk: watch for watch in Watch.objects.filter(pk__in=list(unknown))}

    def _present(self, wanted: list[int]) -> set[int]:
        # One that was removed meanwhile must not keep the others' rows from being written.
        return set(Gateway.objects.filter(pk__in=wanted).values_list("pk", flat=True))


def noted(before: Watch | None, answer: Answer) -> tuple[Watch, list[dict[str, Any]]]:
    """How the gateway is left by this answer, and its readings. Pure."""
    was = before or Watch(gateway_id=answer.gateway, asked_at=0.0, slots={})
    if int(answer.answered_at or answer.asked_at) <= int(max(was.asked_at, was.answered_at)):
        return was, []  # the same second again: a doubled message
    now = Watch(gateway_id=answer.gateway, asked_at=answer.asked_at, answered_at=was.answered_at)
    now.used_at, now.slots, now.misses, now.say = was.used_at, was.slots, was.misses + 1, answer.say
    if not answer.answered_at:
        return now, []
    now.answered_at, now.misses, now.say = answer.answered_at, 0, ""
    place = {"gateway_id": answer.gateway, "span": FINEST, "at": int(answer.answered_at)}
    rows = []
    for slot in answer.slots:
        last = was.slots.get(str(slot.slot))
        row = counters.reading(slot, last)
        seconds = answer.answered_at - float(last["at"]) if last else FIRST_SECONDS
        rows.append({**place, "slot": slot.slot, "seconds": round(seconds, 2), **row})
        if counters.is_used(slot, row):
            now.used_at = answer.answered_at
    # One that is silent now is held against what it said last.
    told = {str(slot.slot): {"at": answer.answered_at, **counters.kept(slot)} for slot in answer.slots}
    now.slots = {**was.slots, **told}
    return now, rows


def upsert(watches: Sequence[Watch]) -> None:
    """Each gateway's row, new or not."""
    columns = ["asked_at", "answered_at", "used_at", "misses", "say", "slots"]
    Watch.objects.bulk_create(watches, update_conflicts=True, update_fields=columns, unique_fields=["gateway"])


def insert(model: type[Reading], rows: Sequence[Mapping[str, Any]], *, skip: bool) -> None:
    """Rows with the same columns in the same order. `skip`: one that is there already stays; else it is replaced.

    One statement for all of them: numbers need no preparing by Django's fields.
    """
    if not rows:
        return
    quote, names = connection.ops.quote_name, list(rows[0])
    others = [quote(name) for name in names if name not in PLACE]
    replaced = ", ".join(f"{name} = excluded.{name}" for name in others)
    then = "NOTHING" if skip else f"UPDATE SET {replaced}"  # nosec B608 # our columns
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, names))})"  # nosec B608 # noqa: S608 - as above
        f" VALUES ({', '.join(['%s'] * len(names))}) ON CONFLICT ({', '.join(map(quote, PLACE))}) DO {then}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [tuple(row.values()) for row in rows])
