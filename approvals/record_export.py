"""Events handed out: written to a file first, so that the record knows count and SHA-256 before anybody has a byte."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any

from django.db.models import Max
from django.http import StreamingHttpResponse

from approvals import record_forms as forms
from approvals.errors import Refused
from approvals.models import AuditEvent
from approvals.record_filter import EventFilter, events
from approvals.record_sample import Drawn, draw, events_of

PIECE = 256 * 1024  # bytes
IN_MEMORY = 4 * 1024 * 1024  # bytes; what is longer lies on the disk
CHUNK = 2_000  # rows that are read at once


@dataclass
class Selected:
    """The events that go out, in their order; `count` is right when all were taken."""

    rows: Iterable[AuditEvent]
    changes: dict[int, str] = field(default_factory=dict)  # event → "change 3 of 25"
    drawn: Drawn | None = None
    count: int = 0
    ends: tuple[int, int] = (0, 0)

    def __iter__(self) -> Iterator[AuditEvent]:
        for event in self.rows:
            self.count += 1
            self.ends = (self.ends[0] or event.seq, event.seq)
            yield event

    def change(self, event: AuditEvent) -> str:
        return self.changes.get(event.seq, "")


@dataclass(frozen=True)
class Made:
    """A file that is ready to go out. `sha256` of its bytes."""

    out: IO[bytes]
    kind: str
    name: str
    size: int
    sha256: str
    about: dict[str, Any]


def head() -> int:
    """The number of the newest event."""
    return AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0


def everything(asked: EventFilter, upto: int) -> Selected:
    """All events that match, oldest first."""
    return Selected(events(asked).filter(seq__lte=upto).order_by("seq").iterator(chunk_size=CHUNK))


def sample(drawn: Drawn) -> Selected:
    """The events of the changes that were drawn, one change after the other."""
    made = Selected([], drawn=drawn)
    number = len(drawn.changes)
    rows: dict[int, AuditEvent] = {}
    for place, change in enumerate(drawn.changes, start=1):
        for event in events_of(change, drawn.upto):
            rows.setdefault(event.seq, event)
            made.changes.setdefault(event.seq, f"{place} of {number}")
    # A verifier reads numbers that only grow.
    made.rows = [rows[seq] for seq in sorted(rows)]
    return made


def select(asked: EventFilter, *, upto: int, seed: str, size: int) -> Selected:
    """What the filter selects up to event `upto`; with a seed, a sample of it."""
    return sample(draw(asked, seed=seed, size=size, upto=upto)) if seed else everything(asked, upto)


def make(selected: Selected, asked: EventFilter, *, form: str, now: datetime) -> Made:
    """Write the file. Refused where the form can't hold so much."""
    kind, write = forms.WRITERS[form]
    if form == "xlsx" and not selected.drawn and _more_than_a_sheet(asked):
        raise Refused("More events match than a sheet has rows (1,048,575). Take a shorter time, CSV or NDJSON.")
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - who sends it closes it
    write(selected, out, selected.change)
    size = out.tell()
    out.seek(0)
    digest = hashlib.file_digest(out, "sha256").hexdigest()
    out.seek(0)
    about: dict[str, Any] = {"filter": asked.said, "form": form, "count": selected.count, "sha256": digest}
    about |= {"first": selected.ends[0], "last": selected.ends[1]}
    if selected.drawn:
        about["sample"] = selected.drawn.said
    word = "sample" if selected.drawn else "record"
    return Made(out, kind, f"handover-{word}-{now:%Y%m%dT%H%M%SZ}.{form}", size, digest, about)


def _more_than_a_sheet(asked: EventFilter) -> bool:
    over = events(asked).order_by("seq").values_list("seq", flat=True)[forms.ROWS_MOST : forms.ROWS_MOST + 1]
    return bool(list(over))


class Pieces:
    """The file, piece by piece; who is done with it closes it, and Django does."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out = out

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.out.read(PIECE), b"")

    def close(self) -> None:
        self.out.close()


class Poured(StreamingHttpResponse):
    """A file that goes out piece by piece. Django under ASGI would read all of it into memory first."""

    def __init__(self, made: Made) -> None:
        self._file = made.out
        super().__init__(Pieces(made.out), content_type=made.kind)
        self.headers["Content-Disposition"] = f'attachment; filename="{made.name}"'
        self.headers["Content-Length"] = str(made.size)
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Content-SHA256"] = made.sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(self._file.read, PIECE):
            yield piece
