"""The house's limits are counted right: script/limits.py on files that are just within and just over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIMITS = Path(__file__).parents[2] / "script/limits.py"


def said(folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, LIMITS, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def function(lines: int, *, name: str = "long", parameters: str = "") -> str:
    return f"def {name}({parameters}):\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("a.py", function(41), "a.py:1: long has 41 lines, at most 40"),
        ("a.py", function(2, parameters="a, b, c, d, e, f, g"), "a.py:1: long has 7 parameters, at most 6"),
        ("a.py", function(2, parameters="a, b, c, d, e, *f, **g"), "a.py:1: long has 7 parameters, at most 6"),
        ("a.py", "#\n" * 301, "a.py:1: the file has 301 lines, at most 300"),
        ("a.html", "x\n" * 121, "a.html:1: the file has 121 lines, at most 120"),
        ("tests/a.py", function(26, name="test_a"), "tests/a.py:1: test_a has 26 lines, at most 25"),
        ("script/a", "#!/bin/sh\n" * 301, "script/a:1: the file has 301 lines, at most 300"),
    ],
)
def test_what_is_over_is_named(tmp_path: Path, path: str, text: str, fault: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(text)
    assert said(tmp_path) == (1, fault)


def test_the_limits_themselves_are_allowed(tmp_path: Path) -> None:
    method = "class A:\n    def six(self, a, b, c, d, e, f):\n        pass\n"
    texts = {
        "a.py": function(40),
        "b.py": "#\n" * 300,
        "c.py": method,
        "d.html": "x\n" * 120,
        "vendor/e.py": "#\n" * 999,
    }
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert said(tmp_path) == (0, "4 files are within the limits.")
