"""How long one page of the record takes, by filter, with a million events.

`python -m lab.servers .venv/bin/python -m bench.record` measures PostgreSQL; without the first part it is SQLite, in the
folder that HANDOVER_STATE names. The rows are made by statements and not by `append`: what is measured is reading.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "upgrader.settings")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from approvals import record_filter, record_index  # noqa: E402
from approvals.models import AuditEvent  # noqa: E402
from approvals.record_filter import EventFilter  # noqa: E402

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EACH = 200  # events of a rollout
VERBS = ("step.done", "upgrade.moved", "step.done", "wave.moved", "alert.opened")
FILTERS: dict[str, dict[str, str]] = {
    "none": {},
    "person, all the time": {"actor": "person-3"},
    "person who left long ago": {"actor": "long-gone"},
    "nobody": {"actor": "no-such-person"},
    "action, often": {"verb": "step.done"},
    "action, once": {"verb": "freeze.begun"},
    "actions of a kind": {"verb": "rollout."},
    "gateway": {"gateway": "gw-77"},
    "an old rollout": {"rollout": "7"},
    "release": {"release": "1.3"},
    "an hour long ago": {"since": "2026-01-03T10:00", "until": "2026-01-03T11:00"},
    "person, action, time": {
        "actor": "person-3",
        "verb": "rollout.drafted",
        "since": "2026-01-02",
        "until": "2026-02-01",
    },
    "gateway and person who never met": {"gateway": "gw-77", "actor": "long-gone"},
    "old rollout and release": {"rollout": "7", "release": "1.7"},
}


def rows(number: int) -> Iterator[AuditEvent]:
    previous = "0" * 64
    for seq in range(1, number + 1):
        rollout, place = divmod(seq - 1, EACH)
        verb = "rollout.drafted" if place == 0 else VERBS[seq % len(VERBS)]
        actor = "long-gone" if seq < 2_000 else f"person-{seq % 20}" if place in (0, 9) else "machine:handover"
        subject = f"rollout:{rollout}" if place == 0 else f"upgrade:{rollout * 8 + place % 8}"
        details = {
            "rollout": rollout,
            "gateway": f"gw-{rollout * 8 % 10_000 + place % 8}",
            "release": f"1.{rollout % 40}",
        }
        verb = "freeze.begun" if seq == number // 2 else verb
        body = json.dumps({"details": details, "prev": previous, "reason": "x" * 200, "seq": seq, "verb": verb})
        digest = hashlib.sha256(body.encode()).hexdigest()
        about = {"verb": verb, "subject": subject, "actor": actor, "reason": "x" * 60, "body": body}
        yield AuditEvent(seq=seq, at=BEGAN + timedelta(seconds=10 * seq), prev_hash=previous, hash=digest, **about)
        previous = digest


def fill(number: int) -> float:
    """Make the rows and the index; return events a second of the index."""
    call_command("migrate", verbosity=0)
    batch: list[AuditEvent] = []
    for row in rows(number):
        batch.append(row)
        if len(batch) == 20_000:
            AuditEvent.objects.bulk_create(batch, batch_size=2_000)
            batch.clear()
    AuditEvent.objects.bulk_create(batch, batch_size=2_000)
    began = time.monotonic()
    while record_index.catch_up(most=50_000):
        pass
    took = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return number / took


def measured(said: dict[str, str], tries: int) -> tuple[float, float]:
    """Milliseconds of the first page and of one in the middle, the middle one of some tries."""
    asked = EventFilter.of(said)

    def once(before: int) -> float:
        began = time.monotonic()
        with transaction.atomic():
            record_filter.page(asked, most=60, before=before)
        return 1000 * (time.monotonic() - began)

    head = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True)[:1][0]
    return tuple(statistics.median(once(before) for _ in range(tries)) for before in (0, head // 2))  # type: ignore[return-value]  # two of them


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    speed = fill(asked.events)
    found = {name: measured(said, asked.tries) for name, said in FILTERS.items()}
    worst = max(max(pair) for pair in found.values())
    told = {
        "database": connection.vendor,
        "events": asked.events,
        "index_events_s": round(speed),
        "worst_ms": round(worst, 1),
    }
    print(
        json.dumps(told | {"pages_ms": {name: [round(ms, 1) for ms in pair] for name, pair in found.items()}}, indent=1)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
