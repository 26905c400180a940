"""Strategies as texts: what is wrong is told with its line; nothing but a TextError ever comes out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upgrader
from upgrader.strategy_text import LARGEST, TextError, read

SHIPPED = sorted((Path(upgrader.__file__).parent / "strategies").glob("*.yaml"))
GOOD = """# A comment
title: Careful
waves:
  - title: canary
    count: 1
    weights: [25, 100]
  - rest: true
limits:
  min_logins: 12
"""

WRONG = [
    ("weights: [25, 100]", "weights: [50, 25]", "Line 6: weights must rise and end at 100, and are [50, 25]."),
    ("min_logins: 12", "min_logins: twelve", "Line 9: min_logins must be a whole number from 1 to 1000000"),
    ("min_logins: 12", "min_logins: .nan", "Line 9: .nan is no plain decimal number."),
    ("min_logins: 12", "min_logins: .inf", "Line 9: .inf is no plain decimal number."),
    ("min_logins: 12", "min_logins: 014", "Line 9: 014 is no plain decimal number."),
    ("min_logins: 12", "min_logins: 1:30", "Line 9: 1:30 is no plain decimal number."),
    ("min_logins: 12", "min_logins: 0x10", "Line 9: 0x10 is no plain decimal number."),
    ("min_logins: 12", "min_logins: yes", "Line 9: min_logins must be a whole number"),
    ("min_logins: 12", "logins: 12", "Line 9: limits has fields that nobody reads: logins."),
    ("min_logins: 12", "min_logins: 12\n  min_logins: 13", "Line 10: min_logins is written a second time"),
    ("min_logins: 12", "min_logins: 2026-11-23", "Line 9: 2026-11-23 would be read as something else"),
    ("min_logins: 12", "<<: {min_logins: 12}", "Line 9: a field has a name in letters."),
    ("limits:", "limits: &all", "Line 8: anchors and aliases"),
    ("limits:", "limits: !!python/object:os.system", "Line 8: tags"),
    ("limits:", "surprise: 1\nlimits:", "Line 8: The strategy has fields that nobody reads: surprise."),
    ("title: Careful", "title: ''", "Line 2: title must be a text of 1 to 120 letters."),
    ("title: Careful\n", "", "Line 1: title must be"),
    ("title: Careful", "title: Careful\n---", "Line 3: a second document begins"),
    ("title: Careful", "title: Care\bful", "Line 2: there is a character that no keyboard writes."),
    ("  - rest: true", "  - rest: true\n  - count: 1", "Line 7: A wave that takes the rest leaves nothing"),
    ("count: 1", "count: 1\n    percent: 5", "Line 4: A wave takes one of count"),
    ("title: Careful", "title: [", "this is no YAML"),
    ("limits:", "\tlimits:", "this is no YAML"),
]


def test_a_text_is_read_with_its_title() -> None:
    written = read(GOOD)
    assert (written.title, len(written.spec.waves), written.spec.limits.min_logins) == ("Careful", 2, 12)
    assert "title" not in written.data


@pytest.mark.parametrize(("old", "new", "says"), WRONG, ids=[new for _, new, _ in WRONG])
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(TextError) as wrong:
        read(GOOD.replace(old, new, 1))
    assert says in str(wrong.value)


@pytest.mark.parametrize("text", ["", "- 1", "7", "[" * 5_000, "a: " * 9, "\ud800", "# only a comment"])
def test_what_is_no_strategy_is_refused(text: str) -> None:
    with pytest.raises(TextError):
        read(text)


def test_a_text_is_at_most_so_large() -> None:
    filled = GOOD + "#" * (LARGEST - len(GOOD))
    assert read(filled).title == "Careful"
    with pytest.raises(TextError, match="65,537 bytes"):
        read(filled + "#")


def test_a_long_value_is_not_quoted_whole() -> None:
    with pytest.raises(TextError) as wrong:
        read(GOOD.replace("count: 1", f"count: {'x' * 5_000}"))
    assert len(str(wrong.value)) < 500


def line_of_fault(text: str) -> int:
    """0 for a text that is a strategy."""
    try:
        read(text)
    except TextError as wrong:
        return wrong.line
    return 0


@settings(max_examples=200)
@given(st.text(st.sampled_from("abc:-[]{}&*!#'\"\n\t 0159.,|>%@`titlewaves"), max_size=80))
def test_nothing_else_is_raised(text: str) -> None:
    for candidate in (text, GOOD.replace("12", text)):
        line = line_of_fault(candidate)
        assert 0 <= line <= candidate.count("\n") + 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ones_are_read(path: Path) -> None:
    assert read(path.read_text()).title


def test_five_are_shipped() -> None:
    names = ["blue-green-between-pools", "blue-green", "careful-canary", "emergency-patch", "rolling"]
    assert [path.stem for path in SHIPPED] == names
