"""Lines of what was measured: gaps stay gaps."""

from __future__ import annotations

from fleet.metrics import charts
from fleet.metrics.series import Point

RTT = charts.Panel("Round trip", "ms", charts.felt("rtt_ms"))


def points(*counts: int | None, every: int = 5) -> list[Point]:
    columns = ("rtt_ms",)
    return [Point(turn * every, float(every), dict.fromkeys(columns, count)) for turn, count in enumerate(counts)]


def test_a_line_breaks_where_nothing_was_measured() -> None:
    measured = points(*range(10))
    drawn = charts.line(RTT, [*measured[:4], *measured[8:]])
    assert [value for _, value in drawn] == [0, 1, 2, 3, None, 8, 9]
    assert charts.line(RTT, []) == []


def test_the_newest_release_stands_first_and_the_sentence_names_each() -> None:
    old, new = points(*[7] * 60), points(*[9] * 60)[30:]
    found = {(1, "1.1.6-3"): old, (2, "1.3.0-2"): new}
    assert charts.newest_first(found)[0] == (2, "1.3.0-2")
    said = "Round trip: 9.0 ms on slot 2 · 1.3.0-2, 7.0 ms on slot 1 · 1.1.6-3."
    assert charts.say(RTT, found) == said
