"""What one person may change. A line that ocserv reads otherwise is never let pass."""

from __future__ import annotations

import pytest

from fleet.ocgate import allow, oddlines
from fleet.ocgate.options import OPTIONS, RUNS, SECRETS

OLD = 'dpd = 90\nbanner = "Hello"\nroute = 10.0.0.0/8\nconnect-script = /usr/bin/true\nkey-pin = 1234\n'


@pytest.mark.parametrize(
    "new",
    [
        OLD.replace("90", "60"),
        OLD.replace(" = ", "\t=  "),
        OLD.replace("Hello", "Good day"),
        OLD + "mtu = 1400\n",
        "# why\n" + OLD,
    ]
    + [OLD.replace("dpd = 90\n", "")],
)
def test_what_is_on_the_list_changes_on_one_word(new: str) -> None:
    assert allow.beyond(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "named"),
    [
        (OLD.replace("true", "false"), ["connect-script"]),
        (OLD.replace("1234", "5678"), ["key-pin"]),
        (OLD + "route = default\n", ["route"]),
        (OLD + "[vhost:a]\ndpd = 3\n", ["[vhost:a]"]),
        (OLD + "nobody-knows = 3\n", ["nobody-knows"]),
        (OLD + "connect-script: /tmp/x\n", [allow.ODD]),
        (OLD.replace("/usr/bin/true\n", "/usr/bin/true\n  /tmp/x\n"), [allow.ODD]),
        (OLD.replace("Hello", "A" * 2040 + "connect-script = /tmp/x"), [allow.ODD]),
        (OLD.replace("route", "Route"), ["Route", "route"]),
        (OLD.replace("route", "route\u00a0"), ["route", allow.ODD]),
        (OLD.replace("10.0.0.0/8", "10.0.0.0/8\u00a0"), ["route"]),
        (OLD.replace("10.0.0.0/8", "10.0.0.0/8 # 0.0.0.0/0"), ["route"]),
        (OLD.replace("10.0.0.0/8", '"10.0.0.0/8"'), ["route"]),
        (OLD + "\u00a0# connect-script = /tmp/x\n", [allow.ODD]),
        (OLD + "[vhost:a] x\nconnect-script = /y\n", ["connect-script", allow.ODD]),
    ],
)
def test_everything_else_needs_a_second_word(new: str, named: list[str]) -> None:
    assert allow.beyond(OLD, new) == named
    assert allow.beyond(new, OLD) == named


def test_an_odd_line_may_stay_but_not_move() -> None:
    old = "route = 10.0.0.0/8\n  and more\ndpd = 3\nconnect-script = /x\n"
    assert allow.beyond(old, old.replace("dpd = 3", "dpd = 4")) == []
    moved = "route = 10.0.0.0/8\ndpd = 3\nconnect-script = /x\n  and more\n"
    assert allow.beyond(old, moved) == [allow.ODD]


def test_nothing_that_runs_or_names_a_file_or_is_secret_is_on_the_list() -> None:
    assert OPTIONS.keys() >= allow.ALLOWED
    assert not allow.ALLOWED & (RUNS | SECRETS)
    assert not [name for name in allow.ALLOWED if OPTIONS[name].kind in ("file", "folder", "addresses")]


@pytest.mark.parametrize(
    ("text", "bad"), [("a\x0bb", "U+000B"), ("a\rb", "U+000D"), ("a\u2028b", "U+2028"), ("ä\t\n", "")]
)
def test_characters_at_which_lines_may_be_cut_are_found(text: str, bad: str) -> None:
    assert oddlines.bad_character(text) == bad
