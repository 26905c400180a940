"""The forms in which events are handed out: CSV, XLSX, and lines of JSON. Pure but for the rows.

A cell that begins like a formula is text with an apostrophe before it: who opens the file in a spreadsheet reads what
was recorded and runs nothing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import IO

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from approvals.chain import moment
from approvals.models import AuditEvent
from approvals.story import tell

FORMULA = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"  # without it Excel reads UTF-8 as the machine's old code page
CELL_MOST = 32_767  # characters in a cell of a spreadsheet
ROWS_MOST = 1_048_575  # of a sheet, below its head
HEAD = (
    *("number", "time_utc", "who", "kind", "action", "sentence", "about", "reason", "details"),
    *("address", "request", "subject", "hash", "previous_hash", "change"),
)

Change = Callable[[AuditEvent], str]
"""The change that a sampled event belongs to; "" outside of a sample."""


def cell(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(FORMULA) else value


def row(event: AuditEvent, change: str = "") -> list[str | int]:
    """One event as cells, in HEAD's order."""
    told = tell(event)
    kind = "person" if told.person else "machine"
    details = json.dumps(told.details, ensure_ascii=False, sort_keys=True) if told.details else ""
    texts = (
        *(moment(event.at.astimezone(UTC)), told.who, kind, told.verb, told.what, told.about, told.reason, details),
        *(told.ip, told.request, told.subject, event.hash, event.prev_hash, change),
    )
    return [event.seq, *map(cell, texts)]


def line(event: AuditEvent) -> str:
    """One event as `manage.py audit export` writes it, for the verifier."""
    columns = {"at": moment(event.at.astimezone(UTC)), "verb": event.verb, "subject": event.subject}
    columns |= {"actor": event.actor, "reason": event.reason}
    return json.dumps(
        {"seq": event.seq, "prev_hash": event.prev_hash, "hash": event.hash, **columns, "body": event.body},
        ensure_ascii=False,
    )


def write_ndjson(events: Iterable[AuditEvent], out: IO[bytes], change: Change) -> None:
    for event in events:
        out.write(f"{line(event)}\n".encode())


def write_csv(events: Iterable[AuditEvent], out: IO[bytes], change: Change) -> None:
    """RFC 4180 in UTF-8 with a byte order mark."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    text.write(BOM)
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for event in events:
        writer.writerow(row(event, change(event)))
    text.detach()


def write_xlsx(events: Iterable[AuditEvent], out: IO[bytes], change: Change) -> None:
    """One sheet, its head fixed. Rows go to the disk as they come."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Record")
    sheet.freeze_panes = "A2"
    sheet.append(list(HEAD))
    for event in events:
        sheet.append([_fits(value) for value in row(event, change(event))])
    book.save(out)


def _fits(value: str | int) -> str | int:
    """A cell as a workbook can hold it: no control characters, not longer than a cell may be."""
    if isinstance(value, int):
        return value
    text = ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)
    return text if len(text) <= CELL_MOST else f"{text[: CELL_MOST - 1]}…"


WRITERS: dict[str, tuple[str, Callable[[Iterable[AuditEvent], IO[bytes], Change], None]]] = {
    "csv": ("text/csv; charset=utf-8", write_csv),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
    "ndjson": ("application/x-ndjson", write_ndjson),
}
