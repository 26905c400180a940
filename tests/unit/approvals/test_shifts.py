"""Who is on call when, on the days on which clocks are put forward and back too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.shifts import Calendar, Once, Weekly, changes_at, on_call, spans
from approvals.windows import DAYS, parse

ANN, BOB, CEM = 1, 2, 3
NIGHT = {"days": list(DAYS), "from": "20:00", "until": "08:00"}
DAY = {"days": list(DAYS), "from": "08:00", "until": "20:00"}
ROUND = Calendar(
    (Weekly(ANN, parse("Europe/Berlin", [DAY])), Weekly(BOB, parse("Europe/Berlin", [NIGHT]))),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cover(who: int, begins: str, ends: str, *, made: str = "2026-01-01T00:00") -> Once:
    return Once(who, at(begins), at(ends), at(made))


@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-03-28T18:59", ANN),  # 19:59 in winter
        ("2026-03-28T19:00", BOB),
        ("2026-03-29T05:59", BOB),  # 07:59 in summer: this night is an hour shorter
        ("2026-03-29T06:00", ANN),
        ("2026-10-24T18:00", BOB),
        ("2026-10-25T06:59", BOB),  # 07:59 in winter: and this one an hour longer
        ("2026-10-25T07:00", ANN),
    ],
)
def test_a_shift_goes_by_the_wall(moment: str, who: int) -> None:
    assert on_call(ROUND, at(moment)) == {who}


def test_both_times_of_the_doubled_hour_are_the_same_shift() -> None:
    one = Calendar((Weekly(ANN, parse("Europe/Berlin", [{"days": ["sun"], "from": "02:00", "until": "03:00"}])),))
    assert [on_call(one, at(f"2026-10-25T{hour}:30")) for hour in ("00", "01")] == [{ANN}, {ANN}]
    assert changes_at(one, at("2026-10-25T00:30")) == at("2026-10-25T02:00")


def test_a_shift_that_the_clock_jumps_over_is_nobodys() -> None:
    one = Calendar((Weekly(ANN, parse("Europe/Berlin", [{"days": ["sun"], "from": "02:00", "until": "03:00"}])),))
    lost = list(spans(one, at("2026-03-28T12:00"), at("2026-03-29T12:00")))
    assert [span.people for span in lost] == [frozenset()]


def test_a_cover_goes_before_the_week_and_the_later_one_before_the_earlier() -> None:
    first = cover(CEM, "2026-06-01T10:00", "2026-06-01T16:00", made="2026-05-01T00:00")
    later = cover(BOB, "2026-06-01T12:00", "2026-06-01T13:00", made="2026-05-02T00:00")
    known = Calendar(ROUND.weekly, (later, first))
    asked = ("09:59", "10:00", "12:00", "13:00", "16:00")
    assert [on_call(known, at(f"2026-06-01T{time}")) for time in asked] == [{ANN}, {CEM}, {BOB}, {CEM}, {ANN}]
    assert changes_at(known, at("2026-06-01T10:00")) == at("2026-06-01T12:00")


def test_nobody_is_on_call_in_a_gap_and_two_may_be_at_once() -> None:
    office = {"days": ["mon"], "from": "09:00", "until": "17:00"}
    two = Calendar((Weekly(ANN, parse("UTC", [office])), Weekly(BOB, parse("UTC", [office]))))
    assert on_call(two, at("2026-06-01T12:00")) == {ANN, BOB}
    assert on_call(two, at("2026-06-02T12:00")) == frozenset()
    assert changes_at(Calendar(), at("2026-06-02T12:00")) is None


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90), st.integers(1, 3)), max_size=4),
)
def test_spans_say_the_same_as_each_moment(start: datetime, covers: list[tuple[int, int, int]]) -> None:
    once = tuple(
        Once(who, start + timedelta(hours=after), start + timedelta(hours=after + length), start + timedelta(number))
        for number, (after, length, who) in enumerate(covers)
    )
    known, end = Calendar(ROUND.weekly, once), start + timedelta(days=20)
    found = list(spans(known, start, end))
    assert [span.begins for span in found[1:]] == [span.ends for span in found[:-1]]
    assert (found[0].begins, found[-1].ends) == (start, end)
    for span in found:
        middle = span.begins + (span.ends - span.begins) / 2
        assert on_call(known, span.begins) == on_call(known, middle) == span.people
    assert changes_at(known, start) == (found[1].begins if len(found) > 1 else None)
