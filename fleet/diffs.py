"""A unified diff as pages show it: each line with its numbers on both sides. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.ocgate import allow

MOST = 2_000  # lines of one diff that a page shows
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")


@dataclass(frozen=True)
class DiffLine:
    kind: str  # "same", "gone", "new", "where" (a hunk begins), "note"
    text: str
    old: int | None = None  # line number before
    new: int | None = None  # line number after


def diff_lines(diff: str) -> list[DiffLine]:
    """Return the lines of a unified diff, without its two header lines; a text that is none comes as notes."""
    lines = list(_lines(diff))
    if len(lines) <= MOST:
        return lines
    return [*lines[:MOST], DiffLine("note", f"{len(lines) - MOST:,} more lines are not shown.")]


def counts(diff: str) -> tuple[int, int]:
    """How many lines are new, and how many are gone."""
    kinds = [line.kind for line in _lines(diff)]
    return kinds.count("new"), kinds.count("gone")


def beyond(diff: str) -> list[str]:
    """The options of ocserv.conf that a diff changes and that one person's word may not; secrets may be masked."""
    lines = list(_lines(diff))
    old, new = ("\n".join(line.text for line in lines if line.kind == kind) for kind in ("gone", "new"))
    return allow.beyond(old, new)


def _lines(diff: str) -> Iterator[DiffLine]:
    old = new = 0
    inside = False
    for line in diff.splitlines():
        if hunk := _HUNK.match(line):
            old, new, inside = int(hunk[1]), int(hunk[2]), True
            yield DiffLine("where", hunk[3] or f"from line {new}")
        elif not inside:
            if not line.startswith(("--- ", "+++ ")):
                yield DiffLine("note", line)
        elif line.startswith("+"):
            yield DiffLine("new", line[1:], new=new)
            new += 1
        elif line.startswith("-"):
            yield DiffLine("gone", line[1:], old=old)
            old += 1
        elif line.startswith("\\"):
            yield DiffLine("note", line[1:].strip())
        else:
            yield DiffLine("same", line[1:], old=old, new=new)
            old, new = old + 1, new + 1
