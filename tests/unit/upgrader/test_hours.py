"""The hour of the week is that of the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from upgrader.hours import same_hours


def said(hours: list[int], zone: str) -> list[str]:
    return [datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).strftime("%a %d %b %H:%M") for at in hours]


def test_a_change_of_clocks_between_leaves_monday_at_nine_where_it_is() -> None:
    at = datetime(2026, 11, 9, 8, 20, tzinfo=UTC).timestamp()  # Monday, 9:20 in Berlin; clocks went back on 25 October
    found = said(same_hours(at, weeks=4, zone=ZoneInfo("Europe/Berlin")), "Europe/Berlin")
    assert found == ["Mon 02 Nov 09:00", "Mon 26 Oct 09:00", "Mon 19 Oct 09:00", "Mon 12 Oct 09:00"]
    utc = said(same_hours(at, weeks=4, zone=ZoneInfo("UTC")), "UTC")
    assert utc[-1] == "Mon 12 Oct 08:00"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_hours_are_whole_ones_of_the_roll_up_in_every_zone(zone: str) -> None:
    found = same_hours(1_795_460_400 + 1234, weeks=3, zone=ZoneInfo(zone))
    assert all(hour % 3600 == 0 for hour in found)
    assert found == sorted(found, reverse=True)
