"""A week of readings in the bench's own database, and what a page takes to read them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from bench.collect_street import slot_of
from fleet.metrics import compare, counters, pages, rollup
from fleet.metrics.store import Answer, Store
from fleet.models import Gateway, Reading, Span, Watch

WEEK = 7 * 24 * 3600
ROUNDS = 30
MEASURES = (*counters.COUNTED, *counters.FELT, "auth_seconds")


def fill(now: int, *, since: int, until: int) -> int:
    """What the collector would have left of this time by now, by the database itself (SQLite); how many rows."""
    table, made = Reading._meta.db_table, 0
    columns = ("gateway_id", "span", "at", "slot", "release", "seconds", *MEASURES)
    for span in rollup.spans():
        begin = max(since, now - 3600 * span.keep_hours) // span.seconds * span.seconds
        if begin >= until:
            continue
        # Values that differ from row to row: a column of equal numbers would be smaller than life.
        values = ", ".join(f"(at + {place} * gw.id) % 977 + 0.5" for place in range(len(MEASURES)))
        query = f"""INSERT OR IGNORE INTO {table} ({", ".join(columns)})
            WITH RECURSIVE times(at) AS (SELECT %s UNION ALL SELECT at + %s FROM times WHERE at + %s < %s)
            SELECT gw.id, %s, at, slots.slot, slots.name, %s, {values} FROM times
            CROSS JOIN fleet_gateway gw CROSS JOIN (SELECT 1 slot, '1.1.6-3' name UNION SELECT 2, '1.3.0-2') slots"""
        with transaction.atomic(), connection.cursor() as cursor:
            length = span.seconds
            cursor.execute(query, [begin, length, length, until, length, float(length)])
            made += cursor.rowcount
        told = {"keep_hours": span.keep_hours, "rolled_until": now - now % span.seconds}
        Span.objects.update_or_create(seconds=span.seconds, defaults=told)
    return made


def page_ms(gateway: Gateway, now: float, hours: int) -> float:
    """Milliseconds to read the points of a gateway's charts and draw them, median."""
    return median_ms(lambda: compare.figure(pages.asked(gateway, now, hours, alarms={}), now=now))


def write_ms(gateway_ids: list[int]) -> float:
    """Milliseconds to write one answer of each gateway, median."""
    store, at = Store(), time.time() + 3600

    def write() -> None:
        nonlocal at
        at += 5
        slots = (slot_of(1, "1.1.6-3", at), slot_of(2, "1.3.0-2", at))
        store.write([Answer(pk, at, answered_at=at + 0.1, slots=slots) for pk in gateway_ids])

    return median_ms(write)


def median_ms(act: Callable[[], Any]) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(took), 1)


def forget(begin: int) -> None:
    """Remove what `write_ms` wrote, which lies in the future."""
    Reading.objects.filter(at__gte=begin, span=5).delete()
    Watch.objects.all().delete()
