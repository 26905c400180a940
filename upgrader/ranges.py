"""Which part of a file an HTTP request asks for: single ranges of RFC 9110, section 14. Pure."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Unsatisfiable(Exception):
    """The range begins behind the end: 416."""


def part(said: str, size: int) -> tuple[int, int] | None:
    """Return (first byte, byte after the last) of a Range header; None for the whole file.

    What is no single range of bytes may be ignored, says the RFC: then the whole file is the answer.
    """
    found = _RANGE.fullmatch(said.strip())
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        last = int(found[2])
        if last == 0:
            raise Unsatisfiable
        return max(0, size - last), size
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    if found[2] and int(found[2]) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end
