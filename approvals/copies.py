"""Checkpoints leave this machine, each with the leaf hashes since the one before, to the places that settings name.

The one writer of CheckpointCopy. A place that fails is tried again, is shown on the record's page, and calls a person
when it is behind for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from approvals import copied, copy_file, copy_out
from approvals.models import AuditEvent, Checkpoint, CheckpointCopy

AGAIN = timedelta(seconds=10)  # after a failure
LATE = timedelta(minutes=3)  # without a checkpoint there, a person is called
AT_ONCE = 100  # checkpoints that one call sends
_CHUNKS = {"file": copy_file.CHUNK, "syslog": copy_out.SYSLOG_CHUNK, "webhook": copy_out.WEBHOOK_CHUNK}


@dataclass(frozen=True)
class Standing:
    """How one place stands: `waiting` checkpoints have not reached it, the oldest of them from `since`."""

    place: str
    where: str
    waiting: int
    since: datetime | None
    sent_at: datetime | None
    say: str  # what the last failure said

    def late(self, now: datetime) -> bool:
        return self.since is not None and now - self.since >= LATE

    @property
    def sentence(self) -> str:
        """How it stands, for people."""
        if self.since is None:
            return (
                f"All checkpoints have reached {self.place}."
                if self.sent_at
                else f"Nothing was sent to {self.place} yet."
            )
        said = "1 checkpoint has" if self.waiting == 1 else f"{self.waiting} checkpoints have"
        why = f": {self.say}" if self.say else ""
        return f"{said} not reached {self.place} since {self.since.strftime('%Y-%m-%d %H:%M UTC')}{why}."


def places() -> dict[str, str]:
    """Place → where it is, of those that settings name."""
    named = {
        "file": settings.CHECKPOINT_FILE,
        "syslog": settings.CHECKPOINT_SYSLOG,
        "webhook": settings.CHECKPOINT_WEBHOOK.partition("?")[0],
    }
    return {place: where for place, where in named.items() if where}


def standings() -> list[Standing]:
    """How each place stands now."""
    rows = {row.place: row for row in CheckpointCopy.objects.all()}
    return [_standing(place, where, rows.get(place)) for place, where in places().items()]


def send(place: str, *, now: datetime) -> int:
    """Send what this place does not have yet; return how many checkpoints it took. Outside of any transaction."""
    if place not in places():
        return 0
    row, _ = CheckpointCopy.objects.get_or_create(place=place)
    if row.failing_since and row.tried_at and row.tried_at <= now < row.tried_at + AGAIN:
        return 0
    if not Checkpoint.objects.filter(number__gt=row.number).exists():
        return 0
    taken = 0
    try:
        if place == "file":
            row = _as_the_file_is(row)
        origin = _origin(row.number)
        for checkpoint in Checkpoint.objects.filter(number__gt=row.number).order_by("number")[:AT_ONCE]:
            # Under another name all is said anew: who verifies has the key of one name.
            _send(place, checkpoint, after=row.size if origin == checkpoint.origin else 0, now=now)
            row.number, row.size, row.sent_at, taken = checkpoint.number, checkpoint.size, now, taken + 1
            origin = checkpoint.origin
    except (OSError, ValueError) as error:  # ValueError: an address that is none
        _failed(row, error, now=now)
        return taken
    row.failing_since, row.say, row.tried_at = None, "", now
    row.save()
    return taken


def _send(place: str, checkpoint: Checkpoint, *, after: int, now: datetime) -> None:
    chunks = list(_hashes(after, checkpoint.size, _CHUNKS[place]))
    if place == "webhook":
        _post(checkpoint, chunks)
        return
    lines = [copied.leaf_line(checkpoint.origin, first, hashes) for first, hashes in chunks]
    lines.append(copied.note_line(checkpoint.origin, checkpoint.number, checkpoint.note))
    if place == "file":
        copy_file.write(lines)
    else:
        copy_out.syslog(lines, at=now)


def _post(checkpoint: Checkpoint, chunks: Sequence[tuple[int, list[str]]]) -> None:
    """One POST for each part of the leaf hashes; the checkpoint goes with the last."""
    *most, final = chunks or [(checkpoint.size + 1, [])]
    for first, hashes in most:
        copy_out.webhook(copied.leaves_of(checkpoint.origin, first, hashes), number=checkpoint.number)
    said = copied.leaves_of(checkpoint.origin, *final)
    note = copied.note_of(checkpoint.origin, checkpoint.number, checkpoint.note)
    copy_out.webhook({**said, **note}, number=checkpoint.number)


def _hashes(after: int, to: int, chunk: int) -> Iterator[tuple[int, list[str]]]:
    """First event and leaf hashes of each part behind `after` up to `to`."""
    for start in range(after, to, chunk):
        rows = AuditEvent.objects.filter(seq__gt=start, seq__lte=min(to, start + chunk)).order_by("seq")
        yield start + 1, list(rows.values_list("hash", flat=True))


def _as_the_file_is(row: CheckpointCopy) -> CheckpointCopy:
    """The file can say itself what it has: a new or a shortened one gets all that it lacks."""
    found = copy_file.newest()
    if found is None:
        row.number = row.size = 0
        return row
    ours = Checkpoint.objects.filter(number=found[0]).first()
    if ours is not None and ours.root == found[1].root.hex():
        row.number, row.size = ours.number, ours.size
    return row


def _origin(number: int) -> str:
    return Checkpoint.objects.filter(number=number).values_list("origin", flat=True).first() or ""


def _failed(row: CheckpointCopy, error: Exception, *, now: datetime) -> None:
    row.failing_since, row.tried_at, row.say = row.failing_since or now, now, str(error)[:300]
    row.save()


def _standing(place: str, where: str, row: CheckpointCopy | None) -> Standing:
    row = row or CheckpointCopy(place=place)
    waiting = Checkpoint.objects.filter(number__gt=row.number).order_by("number")
    oldest = waiting.values_list("at", flat=True).first()
    return Standing(place, where, waiting.count() if oldest else 0, oldest, row.sent_at, row.say)
