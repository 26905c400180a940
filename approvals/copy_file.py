"""The copy of the checkpoints in a file, on another disk or another machine's mount: lines are added, none is changed.

The file can be read back, so it is also what tells that our database is an older one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from approvals.copied import Copies
from approvals.models import AuditEvent, Checkpoint
from approvals.signed_note import Key, Signed

CHUNK = 1000  # leaf hashes a line
_TAIL = 1 << 18  # bytes from the end in which the last checkpoint stands


def path() -> Path | None:
    return Path(settings.CHECKPOINT_FILE) if settings.CHECKPOINT_FILE else None


def write(lines: Sequence[str]) -> None:
    """Add lines, and have them on the disk before we go on. OSError when that can't be done."""
    where = path()
    if where is None:
        return
    handle = os.open(where, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        # A line that was cut by a full disk must not swallow the next one.
        broken = os.fstat(handle).st_size and not _ends_whole(where)
        data = ("\n" if broken else "") + "".join(f"{line}\n" for line in lines)
        left = data.encode()
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def newest() -> tuple[int, Signed] | None:
    """Number and content of the last checkpoint in the file that one of our keys signed; None where there is none.
    OSError when the file can't be read."""
    where = path()
    if where is None or not where.exists():
        return None
    with where.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    known = signers()
    for line in reversed(lines):
        copies = Copies(known)
        copies.take(line, 0)
        if copies.signed:
            return int(json.loads(line).get("number", 0)), copies.signed[-1]
    return None


def ahead_of(ours: Signed) -> str:
    """Say how the file is ahead of our last checkpoint, or beside it; "" when it is not. A file that can't be read says
    nothing: its copy is behind then, and that is an alert of its own."""
    try:
        number, there = newest() or (0, None)
    except OSError:
        return ""
    if there is None or there.origin != ours.origin:
        return ""
    signed = f"a checkpoint of {there.size} events, signed on {there.at.strftime('%Y-%m-%d %H:%M:%S UTC')}"
    if there.size > ours.size:
        return (
            f"The copy in {path()} has {signed}; this database's last one has {ours.size}. It is an older"
            " database, or another one writes under the same name."
        )
    known = Checkpoint.objects.filter(number=number).first()
    if known is None or (known.size, known.root) != (there.size, there.root.hex()):
        return (
            f"The copy in {path()} has {signed}, that this database does not know: an older database came back and was"
            " written on, or another one writes under the same name."
        )
    return ""


def signers() -> list[Key]:
    """All keys that ever signed for this record, as it says itself."""
    bodies = AuditEvent.objects.filter(verb="record.key_named").order_by("seq").values_list("body", flat=True)
    return [Key.parse(json.loads(body)["details"]["key"]) for body in bodies]


def _ends_whole(where: Path) -> bool:
    with where.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
