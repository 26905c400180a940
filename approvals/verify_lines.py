"""The lines of an export as entries, and a walk over many of them by several processes. No Django.

A process checks a part of the lines by itself: each entry, and that each follows the one before. That the parts follow
each other, and what was copied, is held against one after the other. A part that is not good is walked again here, so
that what is found, and how it is said, does not depend on the number of processes.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from approvals.chain import GENESIS, Entry, Head, Verified, check
from approvals.copied import Copies
from approvals.witness import Witness

_READ = json.JSONDecoder().decode
_PART = 5_000  # lines: 4 MB
_AHEAD = 2  # parts for each process that are read and not yet taken back

Part = tuple[str, list[tuple[int, str, str]]]
"""The hash before the first entry; number, hash and time of each."""


class Unreadable(Exception):
    """A line of the export is not what `audit export` writes, or a file is not what it is said to be."""


def read(lines: Iterable[str], start: int = 1) -> Iterator[Entry]:
    """Yield the entries of an export, one a line; Unreadable names the line that is none."""
    for number, line in enumerate(lines, start=start):
        try:
            row = _READ(line)
            if "checkpoint" in row:
                continue
            entry = Entry(
                row["seq"],
                row["body"],
                row["prev_hash"],
                row["hash"],
                {
                    "at": row["at"],
                    "verb": row["verb"],
                    "subject": row["subject"],
                    "actor": row["actor"],
                    "reason": row["reason"],
                },
            )
            if type(entry.seq) is not int or type(entry.body) is not str or type(entry.hash) is not str:
                raise TypeError("an event has a number, a text and a hash")
        except (ValueError, TypeError, KeyError) as error:
            raise Unreadable(f"line {number} of the export is no event: {error!r}") from error
        yield entry


def walk(lines: Iterable[str], *, copies: Copies, trusted: Head | None, jobs: int) -> tuple[Verified, Witness]:
    """Verify a chain beside what was copied of it, as approvals.witness.walk does."""
    witness, head = Witness(copies), Head(0, GENESIS)
    for number, part, done in _parts(iter(lines), jobs):
        if done is None or not _follows(done, head, trusted):
            here = trusted if trusted and head.seq < trusted.seq <= head.seq + len(part) else None
            seen = check(read(part, start=number), trusted=here, after=head, see=witness.see)
            if seen.finding is not None:
                return Verified(seen.head.seq, seen.head, seen.finding), witness
            head = seen.head
            continue
        for seq, digest, at in done[1]:
            witness.see(Entry(seq, "", "", digest, {"at": at}))
        head = Head(seq, digest)
    return replace(check([], trusted=trusted, after=head), count=head.seq), witness


def _follows(done: Part, head: Head, trusted: Head | None) -> bool:
    prev, rows = done
    noted = trusted is None or not rows[0][0] <= trusted.seq <= rows[-1][0]
    return noted and rows[0][0] == head.seq + 1 and prev == head.hash


def _parts(lines: Iterator[str], jobs: int) -> Iterator[tuple[int, list[str], Part | None]]:
    """Number of its first line, lines and result of each part, in order; a few are in memory at once."""
    waiting: deque[tuple[int, list[str], Any]] = deque()
    with multiprocessing.Pool(jobs) as pool:
        for place in itertools.count():
            part = list(itertools.islice(lines, _PART))
            if part:
                waiting.append((place * _PART + 1, part, pool.apply_async(_checked, (part,))))
            while waiting and (not part or len(waiting) > jobs * _AHEAD):
                number, taken, result = waiting.popleft()
                yield number, taken, result.get()
            if not part:
                return


def _checked(lines: list[str]) -> Part | None:
    """Check lines as a chain of their own; None where something is wrong."""
    rows: list[tuple[int, str, str]] = []
    try:
        entries = list(read(lines))
    except Unreadable:
        return None
    if not entries:
        return None
    start = Head(entries[0].seq - 1, entries[0].prev_hash)
    seen = check(entries, after=start, see=lambda entry: rows.append((entry.seq, entry.hash, entry.columns["at"])))
    return None if seen.finding else (entries[0].prev_hash, rows)
