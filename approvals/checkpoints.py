"""Checkpoints of the record: its Merkle root, signed with a key that stands in no database. The one writer of
Checkpoint and RecordHalt.

Never in the transaction of an append: a clock asks `make` each second, and what was appended meanwhile is read, held
against the chain and the last checkpoint, and signed. Who finds something wrong there signs nothing any more, for a
signature would make it true; a person says how it goes on (`manage.py audit begin-anew`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import IntegrityError, transaction

from approvals import audit, copy_file
from approvals.chain import Finding, Head, check
from approvals.merkle import Range
from approvals.models import Actor, AuditEvent, Checkpoint, RecordHalt
from approvals.signed_note import Bad, Key, Signer, verify

EVERY = 100  # events between two
SECONDS = timedelta(seconds=50)  # between two, so that with a slow tick they are less than 60 apart
MOST = 10_000  # events that one call reads: a record that was never signed takes several
MACHINE = Actor.machine("record")


@dataclass(frozen=True)
class Found:
    """Why nothing may be signed."""

    kind: str
    say: str


def signer(origin: str) -> Signer:
    """Who signs for this record. The configured key is long and random, so one step of HKDF does."""
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"handover checkpoint key v1")
    return Signer(origin, Ed25519PrivateKey.from_private_bytes(seed.derive(settings.CHECKPOINT_KEY.encode())))


def last() -> Checkpoint | None:
    return Checkpoint.objects.order_by("-number").first()


def key() -> Key | None:
    """The public key that checkpoints are signed with now; None before the first event."""
    before = last()
    origin = before.origin if before else _first_origin()
    return signer(origin).key if origin else None


def halts() -> list[RecordHalt]:
    """Why nothing is signed; none when all is well."""
    return list(RecordHalt.objects.order_by("since"))


def make(*, now: datetime) -> int:
    """Sign what is due, and return how many checkpoints that were. Outside of any transaction."""
    before = last()
    if not _due(before, now) or RecordHalt.objects.exists():
        return 0
    if before is not None and (found := _against(before)):
        halt(found.kind, found.say, now=now)
        return 0
    origin = before.origin if before else _first_origin()
    if not origin:
        return 0
    if before is None or before.key != str(signer(origin).key):
        _name_key(origin, before, now=now)
    return _go_on(origin, before, now=now)


def halt(kind: str, say: str, *, now: datetime) -> None:
    """Sign nothing from now on, with an event that says why; nothing the second time."""
    try:
        with transaction.atomic():
            RecordHalt.objects.create(kind=kind, say=say, since=now)
            audit.append("record.halted", subject="record", actor=MACHINE, at=now, reason=say, details={"kind": kind})
    except IntegrityError:
        return


def begin_anew(*, actor: Actor, why: str, now: datetime) -> Checkpoint:
    """Sign the record as it stands under a new name: what was signed under the old one stays as it was, and whoever
    verifies needs the new key, so nobody takes one for the other. The copies get all leaf hashes anew.
    """
    before = last()
    with transaction.atomic():
        said = {halt.kind: halt.say for halt in halts()}
        old = {"origin": before.origin, "size": before.size, "root": before.root} if before else {}
        event = audit.append(
            "record.begun_anew", subject="record", actor=actor, at=now, reason=why, details={"was": old, "found": said}
        )
        RecordHalt.objects.all().delete()
    origin, tree = f"handover/{event.hash[:16]}", Range()
    _name_key(origin, before, now=now)
    for digest in AuditEvent.objects.order_by("seq").values_list("hash", flat=True).iterator(chunk_size=2000):
        tree.push(bytes.fromhex(digest))
    made = _signed(origin, tree, number=before.number + 1 if before else 1, at=now, frontier=True)
    made.save(force_insert=True)
    return made


def _first_origin() -> str:
    """A record is named after its first event, so a copy of its database has the same name."""
    digest = AuditEvent.objects.filter(seq=1).values_list("hash", flat=True).first()
    return f"handover/{digest[:16]}" if digest else ""


def _due(before: Checkpoint | None, now: datetime) -> bool:
    if before is None or not before.at <= now < before.at + SECONDS:
        return True
    return AuditEvent.objects.filter(seq=before.size + EVERY).exists()


def _against(before: Checkpoint) -> Found | None:
    """Hold the tail of the record against the last checkpoint, and that against the copy on the other disk."""
    try:
        signed = verify(before.note, [Key.parse(before.key)])
    except Bad as bad:
        return Found("unsigned", f"Checkpoint {before.number} in the database is not as it was signed: {bad}.")
    older = Checkpoint.objects.exclude(frontier="").filter(origin=before.origin, size__lte=before.size - EVERY)
    known = older.order_by("-number").first()
    tree = _tree(known) if known else Range()
    hashes = AuditEvent.objects.filter(seq__gt=tree.size, seq__lte=before.size).order_by("seq")
    for digest in hashes.values_list("hash", flat=True).iterator(chunk_size=2000):
        tree.push(bytes.fromhex(digest))
    if tree.size < before.size:
        say = f"Checkpoint {before.number} covers {before.size} events, and only {tree.size} are there"
        return Found("cut", f"{say}: some were removed.")
    if tree.root() != signed.root:
        first = known.size + 1 if known else 1
        say = f"Among the events {first} to {before.size} some are not what checkpoint {before.number} signed."
        return Found("rewritten", say)
    say = copy_file.ahead_of(signed)
    return Found("older", say) if say else None


def _go_on(origin: str, before: Checkpoint | None, *, now: datetime) -> int:
    """Verify what was appended since, and sign each EVERY events of it and its end."""
    tree, head = Range(), None
    if before is not None:
        kept = (
            Checkpoint.objects.filter(origin=origin, size=before.size).exclude(frontier="").order_by("-number").first()
        )
        tree = _tree(kept) if kept else Range()
        head = Head(before.size, AuditEvent.objects.values_list("hash", flat=True).get(seq=before.size))
    hashes: list[bytes] = []
    to = tree.size + MOST
    seen = check(
        audit.entries(tree.size + 1, to), after=head, see=lambda entry: hashes.append(bytes.fromhex(entry.hash))
    )
    made = list(_each(origin, tree, hashes, before=before, at=now if before is None else max(now, before.at)))
    try:
        with transaction.atomic():
            Checkpoint.objects.bulk_create(made)
    except IntegrityError:
        return 0  # another process was faster, and its checkpoints are as good
    if seen.finding is not None:
        _halt_at(seen.finding, now=now)
    return len(made)


def _each(
    origin: str, tree: Range, hashes: list[bytes], *, before: Checkpoint | None, at: datetime
) -> Iterator[Checkpoint]:
    ends = [*range(0, len(hashes), EVERY), len(hashes)]
    number = before.number if before else 0
    if not hashes and before is not None:
        yield _signed(origin, tree, number=number + 1, at=at, frontier=False)
    for start, end in pairwise(ends):
        for leaf in hashes[start:end]:
            tree.push(leaf)
        if end > start:
            number += 1
            yield _signed(origin, tree, number=number, at=at, frontier=True)


def _signed(origin: str, tree: Range, *, number: int, at: datetime, frontier: bool) -> Checkpoint:
    by, root, at = signer(origin), tree.root(), at.astimezone(UTC).replace(microsecond=0)
    kept = " ".join(one.hex() for one in tree.frontier) if frontier else ""
    row = {"number": number, "size": tree.size, "root": root.hex(), "at": at, "origin": origin, "key": str(by.key)}
    return Checkpoint(**row, note=by.sign(tree.size, root, at=at), frontier=kept)


def _tree(checkpoint: Checkpoint) -> Range:
    return Range(checkpoint.size, [bytes.fromhex(one) for one in checkpoint.frontier.split()])


def _halt_at(finding: Finding, *, now: datetime) -> None:
    halt(finding.kind or "changed", f"The record is not whole: {finding.say}.", now=now)


def _name_key(origin: str, before: Checkpoint | None, *, now: datetime) -> None:
    """A new key is on the record before it signs, so that the old one's last checkpoints lead to it."""
    details = {"origin": origin, "key": str(signer(origin).key), "before": before.key if before else ""}
    with transaction.atomic():
        audit.append("record.key_named", subject="record", actor=MACHINE, at=now, details=details)
