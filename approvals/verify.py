"""Verify an export of the record without Django and without our database: `python -m approvals.verify EXPORT`.

With --checkpoint FILE (what was copied off the machine, or one signed note) and the record's public key, it also finds
what a chain can't show by itself: a cut tail, a record that was rewritten, an older database, two writers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from approvals import copied
from approvals.chain import Entry, Finding, Head, Verified
from approvals.copied import Copies
from approvals.signed_note import CAN_VERIFY, Bad, Key
from approvals.witness import Witness, walk

_READ = json.JSONDecoder().decode


class Unreadable(Exception):
    """A line of the export is not what `audit export` writes, or a file is not what it is said to be."""


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


def read(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of an export, one a line; Unreadable names the line that is none."""
    for number, line in enumerate(lines, start=1):
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


def examine(lines: Iterable[str], *, copies: Copies, trusted: Head | None = None) -> Result:
    """Verify an export beside what was copied. The checkpoints that stand at its beginning are held against it, too."""
    own, rest = _own(iter(lines), copies.keys)
    copies.signed.extend(own.signed)
    copies.bad.extend(own.bad)
    seen, witness = walk(read(rest), copies=copies, trusted=trusted)
    finding = witness.finding(seen, own.signed)
    count = seen.count if finding is seen.finding or finding is None else min(seen.count, finding.seq - 1)
    return Result(replace(seen, finding=finding, count=count), witness)


def main(arguments: list[str]) -> int:
    """Print one sentence; return 0 when the record is whole, 1 when it is not, 2 when the export can't be read."""
    asked = _parser().parse_args(arguments)
    try:
        copies = _copies(asked.checkpoint, _keys(asked.key, asked.keys))
        with asked.export.open(encoding="utf-8", newline="\n") as lines:
            result = examine(lines, copies=copies, trusted=asked.head)
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
    return parser


def _own(lines: Iterator[str], keys: list[Key]) -> tuple[Copies, Iterator[str]]:
    """The checkpoints at the beginning of an export, and the lines behind them."""
    own = Copies(keys)
    for line in lines:
        if not line.startswith('{"checkpoint"'):
            return own, itertools.chain([line], lines)
        try:
            own.note(str(json.loads(line)["checkpoint"]))
        except (ValueError, KeyError) as error:
            raise Unreadable(f"a checkpoint at the beginning of the export is none: {error!r}") from error
    return own, lines


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
