from __future__ import annotations

import difflib

from fleet.diffs import MOST, DiffLine, counts, diff_lines

BEFORE = "auth = plain\nmax-clients = 16\nkeepalive = 300\n"
AFTER = "auth = plain\nmax-clients = 1024\nkeepalive = 300\nisolate-workers = true\n"


def unified(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "agreed", "on the host", lineterm="")
    return "\n".join(lines)


def test_each_line_has_its_number_on_the_side_where_it_stands() -> None:
    assert diff_lines(unified(BEFORE, AFTER)) == [
        DiffLine("where", "from line 1"),
        DiffLine("same", "auth = plain", 1, 1),
        DiffLine("gone", "max-clients = 16", old=2),
        DiffLine("new", "max-clients = 1024", new=2),
        DiffLine("same", "keepalive = 300", 3, 3),
        DiffLine("new", "isolate-workers = true", new=4),
    ]


def test_a_line_that_looks_like_a_header_is_a_line() -> None:
    assert DiffLine("gone", "-- x", old=1) in diff_lines(unified("-- x\n", "y\n"))


def test_counts() -> None:
    assert counts(unified(BEFORE, AFTER)) == (2, 1)


def test_no_difference_has_no_lines() -> None:
    assert diff_lines(unified(BEFORE, BEFORE)) == []


def test_what_is_no_diff_is_shown_as_it_is() -> None:
    assert diff_lines("cut off") == [DiffLine("note", "cut off")]


def test_a_huge_one_is_cut_and_says_so() -> None:
    shown = diff_lines(unified("", "x\n" * (MOST + 10)))
    assert len(shown) == MOST + 1
    assert shown[-1] == DiffLine("note", "11 more lines are not shown.")
