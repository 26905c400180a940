"""Verify an export of the record without Django and without our database: `python -m approvals.verify EXPORT`.

With --checkpoint FILE (what was copied off the machine, or one signed note) and the record's public key, it also finds
what a chain can't show by itself: a cut tail, a record that was rewritten, an older database, two writers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from approvals import copied
from approvals import verify_lines as parts
from approvals.chain import Finding, Head, Verified
from approvals.copied import Copies
from approvals.signed_note import CAN_VERIFY, Bad, Key
from approvals.signed_note import read as peek
from approvals.verify_lines import Unreadable as Unreadable
from approvals.verify_lines import read as read
from approvals.witness import Witness, walk

BIG = 20_000_000  # bytes of an export: a smaller one is verified before other processes have begun


@dataclass(frozen=True)
class Result:
    """What a verification found, and beside how many checkpoints."""

    seen: Verified
    witness: Witness

    @property
    def finding(self) -> Finding | None:
        return self.seen.finding

    def sentence(self) -> str:
        """Say the result in one or two sentences."""
        said, last = self.seen.sentence(), self.witness.good
        if self.finding or last is None:
            return said
        at = last.at.strftime("%Y-%m-%d %H:%M:%S UTC")
        count = len({(signed.size, signed.at) for signed in self.witness.copies.signed})
        held = f"All {count} signed checkpoints agree" if count > 1 else "The signed checkpoint agrees"
        return f"{said} {held}; the last is of {last.size} events, from {at}."


def examine(lines: Iterable[str], *, copies: Copies, trusted: Head | None = None, jobs: int = 1) -> Result:
    """Verify an export beside what was copied, with so many processes. The checkpoints that stand at its beginning are
    held against it, too."""
    notes, rest = _own(iter(lines))
    own = copies.take_own(notes)
    if jobs > 1:
        seen, witness = parts.walk(rest, copies=copies, trusted=trusted, jobs=jobs)
    else:
        seen, witness = walk(read(rest), copies=copies, trusted=trusted)
    return told(seen, witness, own)


def told(seen: Verified, witness: Witness, own: int | None) -> Result:
    """The result of a walk and of its witness. `own`: how many events the record's own checkpoints cover."""
    finding = witness.finding(seen, own)
    count = seen.count if finding is seen.finding or finding is None else min(seen.count, finding.seq - 1)
    return Result(replace(seen, finding=finding, count=count), witness)


def main(arguments: list[str]) -> int:
    """Print one sentence; return 0 when the record is whole, 1 when it is not, 2 when the export can't be read."""
    asked = _parser().parse_args(arguments)
    try:
        copies = _copies(asked.checkpoint, _keys(asked.key, asked.keys))
        with asked.export.open(encoding="utf-8", newline="\n") as lines:
            big = os.fstat(lines.fileno()).st_size >= BIG
            result = examine(lines, copies=copies, trusted=asked.head, jobs=asked.jobs if big else 1)
    except (OSError, UnicodeError, Unreadable, Bad) as error:
        print(f"The export can't be verified: {error}.", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    print(result.sentence())  # noqa: T201 - a command's answer
    return 1 if result.finding else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m approvals.verify", description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--head", type=Head.parse, help="SEQ:HASH that an earlier verify printed")
    parser.add_argument("--checkpoint", type=Path, help="the copy: file, syslog or webhook's lines, or one signed note")
    parser.add_argument("--key", action="append", default=[], help="the record's public key, as `audit key` prints it")
    parser.add_argument("--keys", type=Path, help="a file with public keys, one a line")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    return parser


def _own(lines: Iterator[str]) -> tuple[list[str], Iterator[str]]:
    """The checkpoints at the beginning of an export, and the lines behind them."""
    notes: list[str] = []
    for line in lines:
        if not line.startswith('{"checkpoint"'):
            return notes, itertools.chain([line], lines)
        try:
            notes.append(str(json.loads(line)["checkpoint"]))
            peek(notes[-1])
        except (ValueError, KeyError, Bad) as error:
            raise Unreadable(f"a checkpoint at the beginning of the export is none: {error!r}") from error
    return notes, lines


def _keys(texts: Sequence[str], path: Path | None) -> list[Key]:
    more = path.read_text(encoding="utf-8").splitlines() if path else []
    return [Key.parse(text) for text in (*texts, *more) if text.strip() and not text.startswith("#")]


def _copies(path: Path | None, keys: list[Key]) -> Copies:
    if keys and not CAN_VERIFY:
        raise Unreadable("signatures need the package cryptography: pip install cryptography, or leave out the keys")
    if path is None:
        return Copies(keys)
    if not keys:
        raise Unreadable("a checkpoint is worth its signature: name the record's public key with --key or --keys")
    with path.open(encoding="utf-8", newline="\n") as lines:
        copies = copied.read(lines, keys)
    if not copies.signed and not copies.bad:
        names = ", ".join(sorted({key.name for key in keys}))
        raise Unreadable(f"{path} has no checkpoint of {names}")
    return copies


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
