"""Check events that were taken out of the record: `python -m approvals.verify_part FILE [--record EXPORT]`.

FILE is an NDJSON export of a filter or a sample, or the JSON file of a rollout's evidence. Each event must be what its
hash says. That it stands in the record shows the whole export beside it, which `python -m approvals.verify` verifies.
No Django.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from approvals.chain import Entry, actor_column, canonical, leaf
from approvals.verify import Unreadable, read


def entries(text: str) -> Iterator[Entry]:
    """The events of a file: one a line, or the list "events" of one object."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    lines = [json.dumps(row) for row in whole["events"]] if isinstance(whole, dict) and "events" in whole else None
    yield from read(lines if lines is not None else text.splitlines())


def wrong(entry: Entry, before: Entry | None) -> str:
    """What is wrong with one event, and with its place behind the one before it in the file; "" for nothing."""
    if leaf(entry.body) != entry.hash:
        return f"event {entry.seq} was changed: its text does not give its hash"
    said = json.loads(entry.body)
    if canonical(said) != entry.body or (said.get("seq"), said.get("prev")) != (entry.seq, entry.prev_hash):
        return f"event {entry.seq} is not what was hashed under that number"
    for name, shown in entry.columns.items():
        if shown != (actor_column(said.get("actor")) if name == "actor" else said.get(name)):
            return f"event {entry.seq}: {name} shows {shown!r}, and another was recorded"
    if before is not None and entry.seq <= before.seq:
        return f"event {entry.seq} stands behind event {before.seq}"
    if before is not None and entry.seq == before.seq + 1 and entry.prev_hash != before.hash:
        return f"event {entry.seq} does not follow event {before.seq}: it names another hash before it"
    return ""


def check(part: Iterable[Entry], record: dict[int, str] | None = None) -> tuple[int, str]:
    """Return how many events are good, and what is wrong with the next one; `record` is number → hash."""
    before: Entry | None = None
    number = 0
    for entry in part:
        say = wrong(entry, before)
        if not say and record is not None and record.get(entry.seq) != entry.hash:
            say = f"event {entry.seq} does not stand like that in the record"
        if say:
            return number, say
        number, before = number + 1, entry
    return number, ""


def main(arguments: list[str]) -> int:
    """Print one sentence; return 0 when all are good, 1 when one is not, 2 when a file can't be read."""
    parser = argparse.ArgumentParser(prog="python -m approvals.verify_part", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--record", type=Path, help="the whole export; verify that one, too")
    asked = parser.parse_args(arguments)
    try:
        record = None
        if asked.record:
            with asked.record.open(encoding="utf-8", newline="\n") as lines:
                record = {entry.seq: entry.hash for entry in read(lines)}
        number, say = check(entries(asked.file.read_text(encoding="utf-8")), record)
    except (OSError, UnicodeError, Unreadable) as error:
        print(f"The file can't be read: {error}.", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    beside = "and stand in the record" if record is not None else "that they stand in the record is not shown by this"
    good = f"{number} events are what their hashes say, {beside}."
    print(f"Not good: {say}. The {number} events before it are." if say else good)  # noqa: T201 - a command's answer
    return 1 if say else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
