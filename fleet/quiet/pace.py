"""When a release on a gateway is looked at again, and in what pieces its time is read. Pure; all in seconds."""

from __future__ import annotations

from dataclasses import dataclass

MINUTES, HOUR, DAY = 600, 3600, 86_400
BINS = 96  # of a series: more cost time and show nothing more
FINE = 2 * DAY  # an age up to which minutes are kept that reach back far enough before the begin
FIRST = 2 * HOUR  # nothing is said of a younger release
LAST = 14 * DAY  # nor of an older one: by then it is what is usual
LONG = 28 * DAY  # of hours, that tell what is usual at an hour of the week


@dataclass(frozen=True)
class Reach:
    """Of what is read: bins of `width` from `since` on, made of readings of `span`."""

    span: int
    width: int
    since: int


def pause(age: float) -> float:
    """Until the next look: a twelfth of the age, so that days are not looked at as often as minutes."""
    return min(max(MINUTES, age / 12), 2 * HOUR)


def reach(begin: int, now: float) -> Reach:
    """A width by the release's age, and as many bins before it."""
    age = now - begin
    piece, span = (MINUTES, 60) if age <= FINE else (HOUR, HOUR)
    width = piece * max(1, -(-int(age) // (BINS * piece)))
    return Reach(span, width, begin // width * width - BINS * width)
