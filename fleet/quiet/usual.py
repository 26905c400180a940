"""What would have been usual: by gateways that kept their release, else by the hour of the week. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, log1p
from statistics import fmean, median

from fleet.quiet.bins import Line
from fleet.quiet.least import flat
from fleet.quiet.measures import USERS, Measure, load

PEERS = 3  # fewer say nothing of what is usual
HOUR, DAY, WEEK = 3600, 86_400, 604_800
LINE_LEAST = 6  # bins
BASE_MOST = 0.9
Usual = Callable[[int], float | None]


@dataclass(frozen=True)
class Read:
    """One measure of one line: times, logarithms of values, and of users at each."""

    at: list[int]
    values: list[float]
    users: list[float]


def read(measure: Measure, line: Line, until: int | None = None) -> Read:
    """What can be said of each bin. `until`: what came before tells what the program needs without users."""
    told = [(each.at, value, load(each) or 0.0) for each in line if (value := measure.read(each)) is not None]
    if measure.adds:
        base = without_users([row for row in told if until is None or row[0] < until] or told)
        told = [(at, log((value - base) / users), users) for at, value, users in told if users >= USERS]
    return Read([at for at, _, _ in told], [value for _, value, _ in told], [log1p(users) for _, _, users in told])


def without_users(told: Sequence[tuple[int, float, float]]) -> float:
    """What a line through value and users says of no users at all: from 0 to most of the least value."""
    if len(told) < 2 * LINE_LEAST:
        return 0.0
    users, values = [one for _, _, one in told], [one for _, one, _ in told]
    there, mean = fmean(users), fmean(values)
    square = sum((one - there) ** 2 for one in users)
    each = sum((one - there) * (value - mean) for one, value in zip(users, values, strict=True)) / (square or 1.0)
    return max(0.0, min(mean - each * there, BASE_MOST * min(values)))


def by_peers(measure: Measure, controls: Sequence[Line]) -> Usual | None:
    """How the gateways that kept their release moved at a time; None where fewer than PEERS tell."""
    moved: dict[int, list[float]] = defaultdict(list)
    for line in controls:
        found = read(measure, line)
        if len(found.at) > LINE_LEAST:
            left = flat(found.values, [[1.0] * len(found.at), found.users])
            for at, value in zip(found.at, left, strict=True):
                moved[at].append(value)
    known = {at: median(values) for at, values in moved.items() if len(values) >= PEERS}
    return known.get if len(known) > LINE_LEAST else None


def by_hour(measure: Measure, before: Line) -> Usual | None:
    """How the gateway's own past moved at an hour of the day, and of the week the more weeks there are.

    `before`: bins of an hour or less. None where the past has no two days.
    """
    found = read(measure, before)
    length = found.at[-1] - found.at[0] if found.at else 0
    if length < 2 * DAY - HOUR:
        return None
    left = flat(found.values, [[1.0] * len(found.at), found.users])
    daily = profile(found.at, left, DAY)
    weeks = (length + HOUR) // WEEK
    share = weeks / (weeks + 2)  # an hour of a week is seen once a week: its own noise must not be held for usual
    weekly = profile(found.at, left, WEEK) if weeks else {}

    def usual(at: int) -> float | None:
        day, week = daily.get(at % DAY // HOUR), weekly.get(at % WEEK // HOUR)
        return day if day is None or week is None else day + share * (week - day)

    return usual


def profile(times: Sequence[int], values: Sequence[float], period: int) -> dict[int, float]:
    """Hour of a period → the median of what was seen then and in the hours beside it."""
    hours = period // HOUR
    seen: dict[int, list[float]] = defaultdict(list)
    for at, value in zip(times, values, strict=True):
        seen[at % period // HOUR].append(value)
    return {
        hour: median([value for step in (-1, 0, 1) for value in seen.get((hour + step) % hours, ())]) for hour in seen
    }
