"""The table of rights knows every address, and its document is the table. What is answered: test_rights_walk.py."""

from __future__ import annotations

from pathlib import Path

from upgrader import rights_doc
from upgrader.rights_table import ELSEWHERE, LINES, OPEN, OWN

ROOT = Path(__file__).resolve().parents[2]


def test_every_address_has_a_line() -> None:
    names = {name for name, _ in rights_doc.addresses()}
    lines = {name.partition(" ")[0] for name in LINES} | set(ELSEWHERE)
    assert names - lines - OWN - OPEN == set()
    assert lines - names == set()


def test_what_is_tested_elsewhere_is() -> None:
    assert [where for where in ELSEWHERE.values() if not (ROOT / where).exists()] == []


def test_the_document_is_the_table() -> None:
    """When this fails: manage.py rights table > docs/rights.md"""
    assert (ROOT / "docs/rights.md").read_text() == rights_doc.text()
