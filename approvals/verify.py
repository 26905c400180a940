"""Verify an export of the record without Django and without our database: `python -m approvals.verify EXPORT`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from approvals.chain import Entry, Head, check

_COLUMNS = ("at", "verb", "subject", "actor", "reason")


class Unreadable(Exception):
    """A line of the export is not what `audit export` writes."""


def read(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of an export, one a line; Unreadable names the line that is none."""
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            columns = {name: _text(row[name]) for name in _COLUMNS}
            yield Entry(_number(row["seq"]), _text(row["body"]), _text(row["prev_hash"]), _text(row["hash"]), columns)
        except (ValueError, TypeError, KeyError) as error:
            raise Unreadable(f"line {number} of the export is no event: {error!r}") from error


def main(arguments: list[str]) -> int:
    """Print one sentence; return 0 when the record is whole, 1 when it is not, 2 when the export can't be read."""
    parser = argparse.ArgumentParser(prog="python -m approvals.verify", description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--head", type=Head.parse, help="SEQ:HASH that an earlier verify printed")
    asked = parser.parse_args(arguments)
    try:
        with asked.export.open(encoding="utf-8", newline="\n") as lines:
            seen = check(read(lines), trusted=asked.head)
    except (OSError, UnicodeError, Unreadable) as error:
        print(f"The export can't be read: {error}.", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    print(seen.sentence())  # noqa: T201 - a command's answer
    return 1 if seen.finding else 0


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
