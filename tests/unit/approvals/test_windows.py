"""Windows in their time zones, on the days on which the clocks change above all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import windows
from approvals.windows import DAYS, Window, WindowError

EVERY_DAY = list(DAYS)
# Zone → around midnight of these days the clocks change: ahead, back. Kolkata never changes.
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
    "America/Havana": ("2026-03-08", "2026-11-01"),  # at midnight
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),
}


def window(zone: str, start: str, until: str, days: list[str] | None = None) -> Window:
    return windows.parse(zone, [{"days": days or EVERY_DAY, "from": start, "until": until}])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def open_on(asked: Window, day: str) -> list[str]:
    """When the window is open on that day, in its own zone's clock."""
    start = datetime.fromisoformat(day).replace(tzinfo=asked.zone).astimezone(UTC)
    found = windows.spans([asked], start, start + timedelta(hours=23))
    return [f"{one.astimezone(asked.zone):%H:%M%z}-{two.astimezone(asked.zone):%H:%M%z}" for one, two in found]


def test_it_opens_at_the_first_moment_and_is_shut_at_the_last() -> None:
    office = [window("Europe/Berlin", "22:00", "23:30")]
    for said, opens in (("21:59:59", False), ("22:00:00", True), ("23:29:59", True), ("23:30:00", False)):
        assert windows.is_open(office, at(f"2026-11-23T{said}+01:00")) is opens


def test_over_midnight_it_belongs_to_the_day_on_which_it_began() -> None:
    night = [window("Europe/Berlin", "22:00", "04:00", ["fri"])]
    said = {"2026-11-27T21:59": False, "2026-11-27T22:00": True, "2026-11-28T03:59": True, "2026-11-28T22:30": False}
    said |= {"2026-11-27T03:00": False, "2026-11-28T04:00": False}
    assert {moment: windows.is_open(night, at(f"{moment}+01:00")) for moment in said} == said


def test_the_whole_day_is_to_twenty_four() -> None:
    saturday = [window("UTC", "00:00", "24:00", ["sat"])]
    assert list(windows.spans(saturday, at("2026-11-23T00:00Z"), at("2026-11-30T00:00Z"))) == [
        (at("2026-11-28T00:00Z"), at("2026-11-29T00:00Z"))
    ]


@pytest.mark.parametrize(
    ("zone", "day", "hours", "found"),
    [
        # The hour from 2 to 3 does not exist.
        ("Europe/Berlin", "2026-03-29", "02:00 03:00", []),
        ("Europe/Berlin", "2026-03-29", "02:30 05:00", ["03:00+0200-05:00+0200"]),
        ("Europe/Berlin", "2026-03-29", "01:00 02:30", ["01:00+0100-03:00+0200"]),
        ("America/New_York", "2026-03-08", "02:00 03:00", []),
        ("America/New_York", "2026-03-08", "01:30 03:30", ["01:30-0500-03:30-0400"]),
        # The hour from 2 to 3, or from 1 to 2, comes twice.
        ("Europe/Berlin", "2026-10-25", "02:00 03:00", ["02:00+0200-03:00+0100"]),
        ("Europe/Berlin", "2026-10-25", "02:15 02:45", ["02:15+0200-02:45+0200", "02:15+0100-02:45+0100"]),
        ("Europe/Berlin", "2026-10-25", "01:00 02:30", ["01:00+0200-02:30+0200", "02:00+0100-02:30+0100"]),
        ("America/New_York", "2026-11-01", "01:00 02:00", ["01:00-0400-02:00-0500"]),
        # Lord Howe moves by half an hour: 02:00 to 02:30 is left out, 01:30 to 02:00 comes twice.
        ("Australia/Lord_Howe", "2026-10-04", "02:00 02:30", []),
        ("Australia/Lord_Howe", "2026-10-04", "02:00 03:00", ["02:30+1100-03:00+1100"]),
        ("Australia/Lord_Howe", "2026-04-05", "01:30 02:00", ["01:30+1100-02:00+1030"]),
        ("Asia/Kolkata", "2026-03-29", "02:00 03:00", ["02:00+0530-03:00+0530"]),
        ("Asia/Kolkata", "2026-10-25", "02:00 03:00", ["02:00+0530-03:00+0530"]),
    ],
)
def test_on_the_days_on_which_the_clocks_change(zone: str, day: str, hours: str, found: list[str]) -> None:
    start, until = hours.split()
    assert open_on(window(zone, start, until), day) == found


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 5), ("2026-10-24", 7), ("2026-11-23", 6)])
def test_its_length_in_real_time_is_what_the_clock_makes_of_it(day: str, hours: int) -> None:
    night = [window("Europe/Berlin", "22:00", "04:00")]
    start = at(f"{day}T12:00Z")
    ((opens, shuts),) = windows.spans(night, start, start + timedelta(hours=20))
    assert shuts - opens == timedelta(hours=hours)


def test_a_weekly_window_that_the_clock_jumps_over_opens_a_week_later() -> None:
    sundays = [window("Europe/Berlin", "02:00", "03:00", ["sun"])]
    assert windows.changes_at(sundays, at("2026-03-28T12:00Z")) == at("2026-04-05T02:00+02:00")


def test_one_that_is_always_open_never_changes() -> None:
    assert windows.changes_at([window("Europe/Berlin", "00:00", "24:00")], at("2026-03-28T12:00Z")) is None


times = st.integers(0, 96).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
rules = st.fixed_dictionaries(
    {"days": st.lists(st.sampled_from(DAYS), min_size=1, unique=True), "from": times, "until": times}
).filter(lambda rule: rule["from"] not in (rule["until"], "24:00"))


@given(
    zone=st.sampled_from(sorted(CHANGES)), turn=st.sampled_from([0, 1]), rules=st.lists(rules, min_size=1, max_size=3)
)
def test_what_opens_and_closes_is_what_is_open_minute_by_minute(
    zone: str, turn: int, rules: list[dict[str, Any]]
) -> None:
    asked = [windows.parse(zone, rules)]
    start = at(f"{CHANGES[zone][turn]}T00:00Z") - timedelta(hours=20)
    end = start + timedelta(hours=60)
    spans = list(windows.spans(asked, start, end))
    for minute in range(60 * 60):
        now = start + timedelta(minutes=minute)
        assert windows.is_open(asked, now) is any(one <= now < two for one, two in spans), now


@given(
    zone=st.sampled_from(sorted(CHANGES)), hour=st.integers(0, 365 * 24), rules=st.lists(rules, min_size=1, max_size=2)
)
def test_nothing_changes_before_the_next_change(zone: str, hour: int, rules: list[dict[str, Any]]) -> None:
    asked, now = [windows.parse(zone, rules)], at("2026-01-01T00:00Z") + timedelta(hours=hour)
    changes = windows.changes_at(asked, now)
    last = changes or now + timedelta(days=14)
    step = (last - now) / 50
    assert all(windows.is_open(asked, now + step * part) is windows.is_open(asked, now) for part in range(50))
    assert changes is None or windows.is_open(asked, changes) is not windows.is_open(asked, now)


@pytest.mark.parametrize(
    ("zone", "rule", "said"),
    [
        ("Europe/Berlim", {}, "There is no time zone 'Europe/Berlim'."),
        ("Europe", {}, "There is no time zone 'Europe'."),
        ("", {}, "There is no time zone ''."),
        ("../../etc/passwd", {}, "There is no time zone '../../etc/passwd'."),
        ("localtime", {}, "There is no time zone 'localtime'."),
        ("right/Europe/Berlin", {}, "There is no time zone 'right/Europe/Berlin'."),
        ("UTC", {"days": ["monday"]}, "The days of a rule are some of mon,"),
        ("UTC", {"days": []}, "The days of a rule are some of mon,"),
        ("UTC", {"from": "25:00"}, "A time of day is 00:00 to 24:00, and is '25:00'."),
        ("UTC", {"from": 22}, "A time of day is 00:00 to 24:00, and is 22."),
        ("UTC", {"until": "24:30"}, "A time of day is 00:00 to 24:00, and is '24:30'."),
        ("UTC", {"from": "04:00"}, "A rule begins and ends at different times;"),
        ("UTC", {"from": "24:00"}, "A rule begins and ends at different times;"),
        ("UTC", {"length": 4}, "A rule has days, from and until, and is"),
    ],
)
def test_what_can_not_be_read_says_what_and_why(zone: str, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(WindowError) as caught:
        windows.parse(zone, [{"days": ["mon"], "from": "22:00", "until": "04:00"} | rule])
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("rules", [None, [], {}, "always", [None]])
def test_no_rules_are_no_window(rules: Any) -> None:
    with pytest.raises(WindowError):
        windows.parse("UTC", rules)


def test_every_zone_that_is_offered_can_be_read() -> None:
    assert "Europe/Berlin" in windows.zones()
    assert len([windows.parse_zone(name) for name in windows.zones()]) > 400
