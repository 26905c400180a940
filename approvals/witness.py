"""Hold a record against the checkpoints that were copied elsewhere, and name what does not agree. No Django.

What a whole chain can't show by itself is seen here: a tail that was cut, a record that was written anew, an older
database that came back, and two that were both written to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from approvals.chain import Entry, Finding, Head, Verified, check
from approvals.copied import Copies
from approvals.merkle import Range
from approvals.signed_note import Signed

_TIME = "%Y-%m-%d %H:%M:%S UTC"


@dataclass
class Witness:
    """Sees each good entry of a walk, in order, and keeps the first that is not as it was copied."""

    copies: Copies
    tree: Range = field(default_factory=Range)
    off: tuple[int, str] | None = None  # event and its time: the first whose leaf is another one
    off_root: Signed | None = None  # the first checkpoint whose root is another one
    good: Signed | None = None  # the last checkpoint that agrees

    def __post_init__(self) -> None:
        self._due = sorted(self.copies.signed, key=lambda signed: signed.size, reverse=True)
        self._copied: Range | None = None  # the tree with the copied leaves instead, from where they differ
        self._after_good = ""  # the time of the first event behind the last good checkpoint
        self._settle()

    def see(self, entry: Entry) -> None:
        """Take the next good entry."""
        if self.off_root is not None:
            return
        leaf = bytes.fromhex(entry.hash)
        copied = self.copies.leaf(entry.seq)
        if self.off is None and copied is not None and copied != leaf:
            self.off, self._copied = (entry.seq, str(entry.columns.get("at", ""))), self.tree.copy()
        if self._copied is not None:
            self._copied.push(copied or leaf)
        self._after_good = self._after_good or str(entry.columns.get("at", ""))
        self.tree.push(leaf)
        self._settle()

    def _settle(self) -> None:
        """Compare with the checkpoints of just this size."""
        while self._due and self._due[-1].size <= self.tree.size:
            signed = self._due.pop()
            if signed.size < self.tree.size or self.off_root is not None:
                continue
            if signed.root != self.tree.root():
                self.off_root = signed
            else:
                self.good, self._after_good = signed, ""
                # What was signed is here: then it is the copy's leaf hash that is wrong.
                if self.off is not None:
                    seq, self.off, self._copied = self.off[0], None, None
                    self.copies.bad.append(f"the copy's leaf hash of event {seq} is not the one that was signed")

    def finding(self, seen: Verified, own: int | None) -> Finding | None:
        """Say what does not agree. `own`: how many events the record's own checkpoints cover, None without any."""
        if fork := self.copies.fork():
            return _forked(fork.seq, fork.first, fork.other, fork.again)
        if self.off_root is not None or self.off is not None:
            return self._off(seen)
        if seen.finding is not None:
            return seen.finding
        last = self.copies.last
        if last is not None and seen.head.seq < last.size:
            return _short(seen.head.seq, last, own)
        if self.copies.bad:
            return Finding(
                seen.head.seq + 1, self.copies.bad[0], "unsigned" if "not signed" in self.copies.bad[0] else "copy"
            )
        return None

    def _off(self, seen: Verified) -> Finding | None:
        """Some entry is not as it was copied, or a root is not as it was signed."""
        broken = seen.finding is not None and seen.finding.kind == "link"
        if broken and seen.finding is not None and self.off is not None and seen.finding.seq == self.off[0] + 1:
            say = f"event {self.off[0]} was changed together with its hash: another one was copied"
            return Finding(self.off[0], say, "changed")
        if seen.finding is not None and (self.off is None or seen.finding.seq <= self.off[0]):
            return seen.finding
        seq, at = self.off or (1 + (self.good.size if self.good else 0), self._after_good)
        to = next((one for one in sorted(self.copies.signed, key=lambda one: one.size) if one.size >= seq), None)
        if to is None:
            return seen.finding
        if at > to.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"):
            return Finding(seq, _older(seq - 1, to), "older")
        exact = self.off is not None and (self._copied is None or self.off_root is None or self._proves())
        which = f"event {seq} is" if exact else f"some of the events {seq} to {to.size} are"
        say = f"{which} not what was signed on {to.at.strftime(_TIME)}: the record was rewritten from there on"
        return Finding(seq, say, "rewritten")

    def _proves(self) -> bool:
        """Whether the copied leaves give the root that was signed, so that the first that differs is the one."""
        return bool(self._copied and self.off_root and self._copied.root() == self.off_root.root)


def walk(entries: Iterable[Entry], *, copies: Copies, trusted: Head | None = None) -> tuple[Verified, Witness]:
    """Verify a chain beside what was copied of it; ask the witness for its finding at the end."""
    witness = Witness(copies)
    return check(entries, trusted=trusted, see=witness.see), witness


def _forked(seq: int, first: Signed, other: Signed, again: bool) -> Finding:
    signed = f"{first.size} events on {first.at.strftime(_TIME)}, {other.size} events on {other.at.strftime(_TIME)}"
    if again:
        say = f"event {seq} was signed in two versions, and both went on: two writers keep one record ({signed})"
        return Finding(seq, say, "two writers")
    say = f"event {seq} was signed in two versions: an older database came back and was written on ({signed})"
    return Finding(seq, say, "older")


def _short(end: int, last: Signed, own: int | None) -> Finding:
    signed = f"{last.size} were signed on {last.at.strftime(_TIME)}"
    missing = f"event {end + 1} is" if end + 1 == last.size else f"events {end + 1} to {last.size} are"
    if own is None or own > end:
        return Finding(end + 1, f"{missing} missing: the record's tail was cut at {end}, but {signed}", "cut")
    say = f"{missing} missing: this is an older database, whole up to event {end}, but {signed}"
    return Finding(end + 1, say, "older")


def _older(end: int, last: Signed) -> str:
    return (
        f"from event {end + 1} on the record is another one than was signed on {last.at.strftime(_TIME)}, and it was"
        f" written later: an older database of {end} events came back and was written on"
    )
