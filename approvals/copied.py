"""Checkpoints and leaf hashes as they leave this machine, one JSON object a line, and how a verifier reads them back.

    {"record": "handover/4f2a90c1", "first": 801, "leaves": ["base64", …]}
    {"record": "handover/4f2a90c1", "number": 17, "checkpoint": "handover/4f2a90c1\\n900\\n…"}

The first names leaf hashes of events 801 and on; the second is the signed checkpoint that covers them. One object may
have both. What stands before the first brace of a line (a syslog header) is passed over. No Django.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from approvals.merkle import Range
from approvals.signed_note import Bad, Key, Signed, verify
from approvals.signed_note import read as peek

HASH = 32
_NONE = bytes(HASH)  # no SHA-256 that anybody has found


@dataclass(frozen=True)
class Fork:
    """Two different events of one number were both covered by signed checkpoints."""

    seq: int
    first: Signed  # the earliest that covers one of them
    other: Signed  # the earliest that covers the other one
    again: bool  # after `other` there was one more that covers the first: both go on


@dataclass
class Copies:
    """What came back from a copy: the checkpoints with a good signature, in the order of the file, and leaf hashes."""

    keys: list[Key]
    signed: list[Signed] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)  # sentences about lines that are not what they have to be
    leaves: bytearray = field(default_factory=bytearray)  # HASH bytes for each event from 1; zeros: not known
    others: dict[int, bytes] = field(default_factory=dict)  # event → another hash that was copied for the same number
    _known: set[str] = field(default_factory=set)

    def take_own(self, notes: Iterable[str]) -> int | None:
        """Take the record's own checkpoints, too; return how many events the biggest covers, None without any."""
        names, biggest = {key.name for key in self.keys}, None
        for text in notes:
            self.note(text)
            name, size, _ = peek(text)
            biggest = max(size, biggest or 0) if name in names else biggest
        return biggest

    @property
    def last(self) -> Signed | None:
        """The checkpoint of the most events."""
        return max(self.signed, key=lambda signed: signed.size, default=None)

    def leaf(self, seq: int) -> bytes | None:
        """The leaf hash of event `seq`, from 1; None where none was copied."""
        found = bytes(self.leaves[(seq - 1) * HASH : seq * HASH])
        return found if found and found != _NONE else None

    def fork(self) -> Fork | None:
        """Where two records were signed under one name, if they were."""
        return self._by_roots() or (self._by_leaves() if self.others else None)

    def take(self, line: str, number: int) -> None:
        """Read one line; one of another record, or that is nothing of ours, is passed over."""
        start = line.find("{")
        try:
            said = json.loads(line[start:]) if start >= 0 else None
        except ValueError:
            self.bad.append(f"line {number} of the copy is cut or damaged")
            return
        if not isinstance(said, dict) or said.get("record") not in {key.name for key in self.keys}:
            return
        try:
            self._leaves(said)
            if "checkpoint" in said:
                self.note(str(said["checkpoint"]))
        except (ValueError, TypeError, KeyError):
            self.bad.append(f"line {number} of the copy is no checkpoint and no leaf hashes")

    def note(self, text: str) -> None:
        """Take one signed checkpoint; one of another record, or that is here already, is passed over."""
        if text in self._known:
            return
        self._known.add(text)
        try:
            if peek(text)[0] in {key.name for key in self.keys}:
                self.signed.append(verify(text, self.keys))
        except Bad as bad:
            self.bad.append(str(bad))

    def _leaves(self, said: dict[str, Any]) -> None:
        hashes = [base64.b64decode(text, validate=True) for text in said.get("leaves", [])]
        first = int(said["first"]) if hashes else 1
        if first < 1 or any(len(leaf) != HASH for leaf in hashes):
            raise ValueError("no leaf hashes")
        missing = (first - 1 + len(hashes)) * HASH - len(self.leaves)
        self.leaves.extend(bytes(max(0, missing)))
        for seq, leaf in enumerate(hashes, start=first):
            known = self.leaf(seq)
            if known is None:
                self.leaves[(seq - 1) * HASH : seq * HASH] = leaf
            elif known != leaf:
                self.others[seq] = leaf

    def _by_roots(self) -> Fork | None:
        """Two roots of one size."""
        roots: dict[tuple[str, int], Signed] = {}
        for signed in self.signed:
            known = roots.setdefault((signed.origin, signed.size), signed)
            if known.root != signed.root:
                at = min(self.others, default=signed.size)
                return Fork(at, known, signed, self._again(known, signed))
        return None

    def _by_leaves(self) -> Fork | None:
        """Two leaves of one number; each belongs to roots that were signed."""
        seq = min(self.others)
        by = {False: self._roots(other=False), True: self._roots(other=True)}
        of = {
            other: [one for one in self.signed if one.size >= seq and by[other].get(one.size) == one.root]
            for other in by
        }
        if not of[False] or not of[True]:
            self.bad.append(f"the copy has two leaf hashes for event {seq}, and only one of them was signed")
            return None
        first, other = of[False][0], of[True][0]
        again = any(one.at >= other.at for one in of[False])
        return Fork(seq, first, other, again)

    def _roots(self, *, other: bool) -> dict[int, bytes]:
        """Size → root over the copied leaves, as far as they are known, with the other ones or the first ones."""
        tree, roots, sizes = Range(), {}, {signed.size for signed in self.signed}
        for seq in range(1, len(self.leaves) // HASH + 1):
            leaf = (self.others.get(seq) if other else None) or self.leaf(seq)
            if leaf is None:
                break
            tree.push(leaf)
            if seq in sizes:
                roots[seq] = tree.root()
        return roots

    def _again(self, known: Signed, signed: Signed) -> bool:
        """Whether somebody signed on from the first after the other one was signed."""
        ours = [one for one in self.signed if one.size == known.size and one.root == known.root]
        return any(one.at > signed.at for one in ours) or known.at >= signed.at


def read(lines: Iterable[str], keys: Sequence[Key]) -> Copies:
    """Read a copy: lines as they were sent, or one plain signed note."""
    copies, plain = Copies(list(keys)), True
    before: list[str] = []  # what a note would be made of
    for number, line in enumerate(lines, start=1):
        plain = plain and "{" not in line
        if plain:
            before.append(line)
        elif line.strip():
            copies.take(line, number)
    if plain and before:
        copies.note("".join(before))
    return copies


def leaves_of(origin: str, first: int, hashes: Sequence[str]) -> dict[str, object]:
    """Leaf hashes (hex) of events from `first` on, as they are sent."""
    leaves = [base64.b64encode(bytes.fromhex(text)).decode() for text in hashes]
    return {"record": origin, "first": first, "leaves": leaves}


def note_of(origin: str, number: int, note: str) -> dict[str, object]:
    """A signed checkpoint, as it is sent."""
    return {"record": origin, "number": number, "checkpoint": note}


def leaf_line(origin: str, first: int, hashes: Sequence[str]) -> str:
    return _line(leaves_of(origin, first, hashes))


def note_line(origin: str, number: int, note: str) -> str:
    return _line(note_of(origin, number, note))


def _line(said: dict[str, object]) -> str:
    return json.dumps(said, separators=(",", ":"))
