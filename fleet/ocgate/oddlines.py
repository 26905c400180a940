"""Lines of ocserv.conf that ocserv reads in another way than they look. Pure.

Measured with 1.1.6 and 1.5.0: an indented line goes on with the value of the line before it, `name: value` is an option
too, a word after a section's bracket is ignored, and what is longer than ocserv's buffer is read as a line of its own.
"""

from __future__ import annotations

import re
from typing import List, Tuple

from .derive import SPACE

LONGEST = 1024  # bytes; the buffers of the versions that were measured have 2048
_PLAIN = re.compile(r"[A-Za-z0-9_-]+\s*=.*|\[[^\[\]]*\]\s*", re.ASCII)


def is_odd(line: str) -> bool:
    """Whether ocserv may read this line in another way than ocgate does."""
    bare = line.strip(SPACE)
    if len(line.encode()) > LONGEST:
        return True
    if not bare or bare[0] in "#;":
        return False
    return _PLAIN.fullmatch(line) is None


def odd(text: str) -> List[Tuple[int, str]]:
    """(number from 1, line) of each of them."""
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if is_odd(line)]


def odd_in_place(text: str) -> List[Tuple[str, str]]:
    """Each of them with the line before it, whose value it may go on with."""
    before, found = "", []
    for line in text.split("\n"):
        if is_odd(line):
            found.append((before, line))
        if line.strip(SPACE) and line.strip(SPACE)[0] not in "#;":
            before = line
    return found


def bad_character(text: str) -> str:
    """The first control character, "" if there is none: two readers may cut a line there in different places."""
    found = next(
        (c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in "\u2028\u2029"), ""
    )
    return f"U+{ord(found):04X}" if found else ""
