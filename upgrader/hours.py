"""Hours of the week as the people of a pool have them: Monday at nine, whatever became of clocks. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

HOUR, WEEK_DAYS, WEEKS = 3600, 7, 4


def same_hours(at: float, *, weeks: int, zone: ZoneInfo) -> list[int]:
    """When the hour of the week that `at` is in began in each of so many weeks before; epoch seconds, the latest first.

    Whole hours of UTC: readings are rolled up in those, so a zone with half hours has the hour that holds most of it.
    An hour that the clock jumped over that week is the one after it.
    """
    wall = datetime.fromtimestamp(at, UTC).astimezone(zone)
    found = []
    for number in range(1, weeks + 1):
        # The clock on the wall goes back, and the zone says what that was: its offset may be another one.
        then = (wall - timedelta(days=WEEK_DAYS * number)).astimezone(UTC)
        found.append(int(then.timestamp()) // HOUR * HOUR)
    return found
