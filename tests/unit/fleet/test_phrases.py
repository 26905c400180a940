"""Numbers, times and lists as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fleet.phrases import ago, clock, count, duration, listed, sentence

NOW = datetime(2026, 11, 23, 14, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-3, "0 s"), (59.6, "1 min"), (372, "6 min 12 s"), (11_520, "3 h 12 min"), (183_600, "2 d 3 h")],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_count_sets_thousands_apart() -> None:
    assert (count(1, "gateway"), count(0, "user"), count(10_000, "user")) == ("1 gateway", "0 users", "10,000 users")


def test_clock_has_the_date_of_other_days() -> None:
    assert clock(NOW, NOW) == "14:08"
    assert clock(NOW + timedelta(days=1), NOW) == "24 Nov 14:08"
    assert clock(NOW + timedelta(days=60), NOW) == "22 Jan 2027 14:08"


def test_ago() -> None:
    assert ago(NOW - timedelta(minutes=4), NOW) == "4 min ago"
    assert ago(NOW + timedelta(minutes=4), NOW) == "now"


def test_listed() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"


def test_sentence_keeps_names() -> None:
    assert sentence("no answer") == "No answer."
    assert sentence("fra-gw-01: no answer!") == "fra-gw-01: no answer!"
    assert sentence("  ") == ""
