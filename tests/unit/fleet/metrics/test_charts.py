"""Lines of what was measured: gaps stay gaps, single events make no comb."""

from __future__ import annotations

from fleet.metrics import charts
from fleet.metrics.series import Point

FAILURES, RTT = charts.PANELS["failures"], charts.PANELS["rtt"]


def points(*counts: int | None, every: int = 5) -> list[Point]:
    columns = ("failures", "rtt_ms", "sessions", "rss_bytes")
    return [Point(turn * every, float(every), dict.fromkeys(columns, count)) for turn, count in enumerate(counts)]


def test_a_rate_is_that_of_the_last_five_minutes() -> None:
    minute = [1] + [0] * 11
    values = FAILURES.values(points(*minute * 8))
    assert {round(value or 0, 3) for value in values[60:]} == {1.0}


def test_a_line_does_not_begin_with_a_spike() -> None:
    assert FAILURES.values(points(1, 0, 0))[0] == 1.0


def test_a_rate_of_hours_is_that_of_each_hour() -> None:
    assert FAILURES.values(points(60, 120, None, 0, every=3600)) == [1.0, 2.0, None, 0.0]


def test_after_a_gap_the_rate_is_spread_over_it() -> None:
    late = [*points(0, 0), Point(605, 600.0, {"failures": 10})]
    assert FAILURES.values(late)[-1] == 1.0


def test_a_line_breaks_where_nothing_was_measured() -> None:
    measured = points(*range(10))
    drawn = charts.line(RTT, [*measured[:4], *measured[8:]])
    assert [value for _, value in drawn] == [0, 1, 2, 3, None, 8, 9]
    assert charts.line(RTT, []) == []


def test_the_newest_release_stands_first_and_the_sentence_names_each() -> None:
    old, new = points(*[7] * 60), points(*[9] * 60)[30:]
    found = {(1, "1.1.6-3"): old, (2, "1.3.0-2"): new}
    assert charts.newest_first(found)[0] == (2, "1.3.0-2")
    said = "Round trip to users, median: 9.0 ms on slot 2 · 1.3.0-2, 7.0 ms on slot 1 · 1.1.6-3."
    assert charts.say(RTT, found) == said
    assert len(charts.table(found, rows=10)) == 20
