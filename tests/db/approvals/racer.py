"""One of several processes that write the record at once: `racer.py append COUNT` or `racer.py decide NAME`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import django

django.setup()

from django.db import transaction  # noqa: E402 - models load after django.setup

from approvals import audit  # noqa: E402
from approvals.errors import Refused  # noqa: E402
from approvals.models import Actor, Request  # noqa: E402
from tests.db.approvals.cast import decide  # noqa: E402


def main(what: str, value: str) -> None:
    """Wait for a line on stdin, so that all start together; then act and print what came of it."""
    print("ready", flush=True)
    sys.stdin.readline()
    if what == "decide":
        try:
            print(decide(Request.objects.get(), value).state)
        except Refused as refusal:
            print(refusal.say)
        return
    for number in range(int(value)):
        with transaction.atomic():
            audit.append("raced", subject=f"thing:{number}", actor=Actor.machine("racer"), at=datetime.now(UTC))


if __name__ == "__main__":
    main(*sys.argv[1:])
