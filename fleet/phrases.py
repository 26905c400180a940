"""How numbers, times and lists are said to people. Pure; used by templates and by sentences alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def count(number: int, noun: str) -> str:
    """Return "1 gateway" or "4 gateways"; thousands are set apart."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a length of time in its two biggest units: "12 s", "6 min 12 s", "3 h 12 min", "2 d 3 h"."""
    whole = max(0, round(seconds))
    for unit, size, part, part_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part_size
            return f"{whole // size} {unit} {rest} {part}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago `at` was, in one unit: "4 min ago"; under a second and in the future it is "now"."""
    seconds = (now - at).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "now"


def clock(at: datetime, now: datetime) -> str:
    """Return a moment as a UTC clock time, with the date when it is not today's."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at:%d %b %H:%M}" if at.year == now.year else f"{at:%d %b %Y %H:%M}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Return "a, b and c", or "a, b, c and 9 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def sentence(text: str) -> str:
    """Return `text` with a capital letter and a full stop, so that sentences from elsewhere can stand in a row."""
    text = text.strip()
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    is_name = any(letter in first for letter in "0123456789-_.:/")  # of a gateway or a release: stays as it is
    start = text if is_name else text[0].upper() + text[1:]
    return start + ("" if text[-1] in ".!?…" else ".")
