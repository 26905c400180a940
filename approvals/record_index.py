"""What each event is about, found out after it was written: the record's tail is held as short as it can be.

`catch_up` reads what came since the last time. Pages call it before they filter, and the clock each minute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from approvals.models import AuditEvent, EventAbout

Named = tuple[str, str | int]
"""("gateway", 12) by its row, ("gateway", "fra-gw-01") by its name."""
KINDS = ("rollout", "gateway", "release")
BATCH = 500  # events a transaction
READ_UP = ""
"""What the row that says how far we have read is about."""


def plainly(named: Iterable[Named]) -> dict[Named, list[str]]:
    return {name: [f"{name[0]}:{name[1]}"] for name in named}


RESOLVERS: list[Callable[[Iterable[Named]], Mapping[Named, list[str]]]] = [plainly]
"""The last one turns what events name into what they are about. The app above appends the one that knows the rows."""


def named(subject: str, details: Mapping[str, Any]) -> set[Named]:
    """What an event names. Pure."""
    kind, _, key = subject.partition(":")
    found: set[Named] = {(kind, int(key))} if kind in KINDS and key.isdecimal() else set()
    for kind in KINDS:
        value = details.get(kind)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            found.add((kind, int(value) if kind == "rollout" and str(value).isdecimal() else value))
    return found


def catch_up(most: int = 5_000) -> int:
    """Read up to `most` events that were not read yet; return how many are left. Two queries when there are none."""
    left = most
    while left > 0:
        done = _batch(min(BATCH, left))
        if done < min(BATCH, left):
            return 0
        left -= done
    return behind()


def behind() -> int:
    """Events that are not read yet."""
    head: int = AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0
    return max(0, head - _read_up())


def _read_up() -> int:
    last = EventAbout.objects.filter(about=READ_UP).order_by("-event").values_list("event", flat=True)[:1]
    return next(iter(last), 0)


def _batch(number: int) -> int:
    since = _read_up()
    rows = list(AuditEvent.objects.filter(seq__gt=since).order_by("seq").values_list("seq", "subject", "body")[:number])
    if not rows:
        return 0
    names = {seq: named(subject, json.loads(body).get("details") or {}) for seq, subject, body in rows}
    known = RESOLVERS[-1]({name for each in names.values() for name in each})
    found = {(seq, about) for seq, each in names.items() for name in each for about in known.get(name, [])}
    made = [EventAbout(event=seq, about=about[:120]) for seq, about in sorted(found)]
    with transaction.atomic():
        # Two that read the same events write the same rows: the second one's are left out.
        EventAbout.objects.bulk_create([*made, EventAbout(event=rows[-1][0], about=READ_UP)], ignore_conflicts=True)
        EventAbout.objects.filter(about=READ_UP, event__lt=rows[-1][0]).delete()
    return len(rows)
