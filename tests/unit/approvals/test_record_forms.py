"""Events as cells, times as people write them, and the order of a sample."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from approvals import record_forms as forms
from approvals.chain import canonical, leaf
from approvals.models import AuditEvent
from approvals.record_filter import EventFilter
from approvals.record_index import named
from approvals.record_sample import order

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def event(reason: str) -> AuditEvent:
    said = {"seq": 7, "actor": {"kind": "person", "name": "=cmd", "ip": "192.0.2.1"}, "details": {"n": 1}}
    body = canonical(said)
    about = {"verb": "rollout.moved", "subject": "rollout:12", "actor": "=cmd", "reason": reason}
    return AuditEvent(seq=7, at=AT, body=body, prev_hash="0" * 64, hash=leaf(body), **about)


@settings(max_examples=40)
@given(st.text(max_size=20))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not forms.cell(text).startswith(forms.FORMULA)
    assert forms.cell(text).removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize("first", forms.FORMULA)
def test_formulas_are_text_in_both_tables(first: str) -> None:
    evil = f"{first}HYPERLINK(1)"
    out = io.BytesIO()
    forms.write_csv([event(evil)], out, lambda _: "1 of 25")
    assert out.getvalue().startswith(b"\xef\xbb\xbf")
    head, row = csv.reader(io.StringIO(out.getvalue().decode("utf-8-sig"), newline=""))
    said = dict(zip(head, row, strict=True))
    assert (said["reason"], said["who"], said["change"]) == (f"'{evil}", "'=cmd", "1 of 25")
    book = io.BytesIO()
    forms.write_xlsx([event(evil), event("a\x00b" + "x" * 40_000)], book, lambda _: "")
    sheet = load_workbook(io.BytesIO(book.getvalue()))["Record"]
    assert sheet.cell(2, 8).data_type == "s"
    assert "HYPERLINK" in str(sheet.cell(2, 8).value)
    assert len(str(sheet.cell(3, 8).value)) == forms.CELL_MOST


def test_a_line_is_what_the_verifier_reads() -> None:
    assert json.loads(forms.line(event("why")))["hash"] == event("why").hash


@pytest.mark.parametrize(
    ("said", "begins", "ends"),
    [
        ({"since": "2026-11-23", "until": "2026-11-23"}, "2026-11-23T00:00", "2026-11-24T00:00"),
        ({"since": "2026-11-23T14:05", "zone": "Europe/Berlin"}, "2026-11-23T13:05", None),
        # The clock in Berlin shows 02:30 twice on this night: both are asked for.
        ({"since": "2026-10-25T02:30", "until": "2026-10-25T02:30", "zone": "Europe/Berlin"}, "2026-10-25T00:30",
         "2026-10-25T01:30"),
        ({"since": "yesterday", "until": "9999-12-31", "zone": "Mars/Base"}, None, None),
    ],
)  # fmt: skip
def test_times_are_read_by_the_clock_that_is_named(said: dict[str, str], begins: str, ends: str) -> None:
    asked = EventFilter.of(said)
    assert [at and at.strftime("%Y-%m-%dT%H:%M") for at in (asked.begins, asked.ends)] == [begins, ends]
    assert len(asked.faults) == (3 if said.get("zone") == "Mars/Base" else 0)


def test_what_an_event_names() -> None:
    details = {"rollout": 12, "gateway": "fra-gw-01", "release": "1.3.0-2", "step": "shift"}
    found = named("upgrade:3", details)
    assert found == {("rollout", 12), ("gateway", "fra-gw-01"), ("release", "1.3.0-2")}
    assert named("gateway:7", {"gateway": None, "rollout": True}) == {("gateway", 7)}


@settings(max_examples=30)
@given(st.sets(st.integers(1, 10_000), min_size=1), st.text(max_size=8))
def test_a_sample_is_drawn_the_same_again(numbers: set[int], seed: str) -> None:
    drawn = order(numbers, seed)
    assert sorted(drawn) == sorted(numbers)
    assert drawn == order(sorted(numbers, reverse=True), seed)
    assert order(numbers - {drawn[-1]}, seed) == drawn[:-1]
