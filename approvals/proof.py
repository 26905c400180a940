"""What a page shows of the record's proof: its head, the last checkpoint, the copies; and a look at its last events.

Reads only. The whole of a long record takes too long for a page: `manage.py audit verify`, or the verifier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from approvals import audit, checkpoints, copied, copies, copy_file
from approvals.chain import Finding, Head, Verified, check
from approvals.copied import Copies
from approvals.copies import Standing
from approvals.merkle import Range
from approvals.models import AuditEvent, Checkpoint, RecordHalt
from approvals.verify import Result, told
from approvals.witness import Witness, walk

MOST = 5_000  # events that a page verifies: half a second
NOTES_MOST = 200  # checkpoints of them
OLD = timedelta(minutes=2)  # of the last checkpoint: one is due each 50 s


@dataclass(frozen=True)
class Proof:
    """How the record stands now."""

    head: Head | None
    last: Checkpoint | None
    unsigned: int  # events behind the last checkpoint
    old: bool  # the last checkpoint is older than it may be
    halts: list[RecordHalt]
    places: list[tuple[Standing, bool]]  # with whether it is late


@dataclass(frozen=True)
class Looked:
    """What a look at the last events found: `first` to the head, beside `signed` checkpoints."""

    seen: Verified
    first: int
    signed: int

    @property
    def finding(self) -> Finding | None:
        return self.seen.finding

    def sentence(self) -> str:
        """Say what was checked and what was found."""
        if self.finding:
            return f"The record is not whole: {self.finding.say}. The {self.seen.count} events before it are good."
        beside = {0: "No signed checkpoint could be held against them.", 1: "The signed checkpoint over them agrees."}
        agree = beside.get(self.signed, f"{self.signed} signed checkpoints over them agree.")
        if self.first == 1:
            return f"The record is whole: {self.seen.count} events, head {self.seen.head}. {agree}"
        return (
            f"Events {self.first} to {self.seen.head.seq} are whole, and this is all that was looked at. {agree}"
            " The whole record is verified by manage.py audit verify."
        )


def standing(now: datetime) -> Proof:
    """How the record stands; four queries, and one for each place that copies go to."""
    row, last = AuditEvent.objects.order_by("-seq").values_list("seq", "hash").first(), checkpoints.last()
    head = Head(*row) if row else None
    return Proof(
        head=head,
        last=last,
        unsigned=(head.seq if head else 0) - (last.size if last else 0),
        old=last is not None and now - last.at > OLD,
        halts=checkpoints.halts(),
        places=[(place, place.late(now)) for place in copies.standings()],
    )


def look(most: int = MOST) -> Looked:
    """Verify the last `most` events and the checkpoints over them."""
    head = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    last = checkpoints.last()
    known = _from(last, head - most) if last else None
    if known is None and head > 2 * most:  # nothing was signed so far back: the chain alone
        return Looked(audit.part(head - most + 1, head), head - most + 1, 0)
    start = AuditEvent.objects.filter(seq=known.size).values_list("seq", "hash").first() if known else None
    tree = Range(known.size, [bytes.fromhex(one) for one in known.frontier.split()]) if known and start else Range()
    copies = _signed(last, tree.size)
    first, witness = tree.size + 1, Witness(copies, tree)
    seen = check(audit.entries(first), after=Head(*start) if start else None, see=witness.see)
    return Looked(replace(seen, finding=witness.finding(seen, None)), first, len(copies.signed))


def whole(trusted: Head | None = None, *, copy: bool = True) -> Result:
    """Verify the whole record beside all its checkpoints, and the `copy` in the file if there is one. OSError when that
    can't be read."""
    last, path = checkpoints.last(), copy_file.path()
    keys = [key for key in copy_file.signers() if last is not None and key.name == last.origin]
    copies = Copies(keys)
    if copy and path is not None and keys and path.exists():
        with path.open(encoding="utf-8", newline="\n") as lines:
            copies = copied.read(lines, keys)
    notes = Checkpoint.objects.order_by("number").values_list("note", flat=True)
    own = copies.take_own(notes.iterator(chunk_size=500))
    seen, witness = walk(audit.entries(), copies=copies, trusted=trusted)
    return told(seen, witness, own)


def _from(last: Checkpoint, size: int) -> Checkpoint | None:
    kept = Checkpoint.objects.filter(origin=last.origin, size__lte=size).exclude(frontier="")
    return kept.order_by("-number").first()


def _signed(last: Checkpoint | None, after: int) -> Copies:
    """The database's own checkpoints of more than `after` events, the newest of them."""
    if last is None:
        return Copies([])
    mine = Checkpoint.objects.filter(origin=last.origin, size__gt=after).exclude(frontier="").order_by("-number")
    copies = Copies([key for key in copy_file.signers() if key.name == last.origin])
    for note in mine.values_list("note", flat=True)[:NOTES_MOST]:
        copies.note(note)
    return copies
