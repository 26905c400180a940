"""What can be lost quietly, and how each is read from a bin. Pure.

Every one is the logarithm of a ratio: a gateway with more users than yesterday is no loss, and a change is a factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, log1p

from fleet.quiet.bins import Bin

USERS = 3.0  # at least, of a mean over the bin, for what is said of users
TRIES = 5.0
SEGMENTS = 200.0
EVENTS = 3.0  # in the mean of a bin
HOUR = 3600.0


@dataclass(frozen=True)
class Measure:
    """`read`: the value of one bin, None where there is too little to say; `least`: the relative change that matters.

    `at_once`: the same for a step, where a release may well need more. `worse`: 1 where more is worse, -1 where less
    is. `adds`: users add to what the program needs without any; it is made a ratio later. `events`: what is counted.
    """

    name: str
    title: str
    read: Callable[[Bin], float | None]
    least: float
    at_once: float
    worse: int = 1
    adds: bool = False
    events: str = ""

    @property
    def matters(self) -> float:
        """`at_once` in the units of what is read."""
        return log1p(self.at_once)


def plain(column: str) -> Callable[[Bin], float | None]:
    return lambda each: each.of(column)


def logarithm(column: str) -> Callable[[Bin], float | None]:
    def read(each: Bin) -> float | None:
        value = each.of(column)
        return log(value) if value else None

    return read


def share(part: str, *rest: str, least: float) -> Callable[[Bin], float | None]:
    """Logarithm of `part` in part + rest. Half an event more than there were: none is no number."""

    def read(each: Bin) -> float | None:
        one, others = each.of(part), [each.of(name) for name in rest]
        if one is None or any(other is None for other in others):
            return None
        whole = one + sum(other for other in others if other is not None)
        return log((one + 0.5) / (whole + 1)) if whole >= least else None

    return read


def an_hour(column: str) -> Callable[[Bin], float | None]:
    """Logarithm of events an hour of one user."""

    def read(each: Bin) -> float | None:
        events, users = each.of(column), each.of("sessions")
        if events is None or users is None or users < USERS:
            return None
        return log((events + 0.5) / (users * each.seconds / HOUR + 0.5))

    return read


def length(each: Bin) -> float | None:
    """Logarithm of the mean length of a session by Little's law: users there, by users who leave in a time."""
    left, users = each.of("departures"), each.of("sessions")
    if left is None or users is None or users < USERS:
        return None
    return log((users * each.seconds + HOUR) / (left + 0.5))


def work(each: Bin) -> float | None:
    """Logarithm of CPU a user."""
    used, users = each.of("cpu_seconds"), each.of("sessions")
    if used is None or users is None or users < USERS or each.seconds <= 0:
        return None
    return log((used / each.seconds + 1e-4) / users)


def over_dtls(each: Bin) -> float | None:
    """Logarithm of the share of users with DTLS."""
    fast, users = each.of("dtls"), each.of("sessions")
    return None if fast is None or users is None or users < USERS else log((fast + 0.5) / (users + 1))


RESENT = share("retransmitted", "segments", least=SEGMENTS)
MEASURES: Mapping[str, Measure] = {
    each.name: each
    for each in (
        Measure("memory", "Memory a session", plain("rss_bytes"), 0.12, 0.25, adds=True),
        Measure("files", "Open files a session", plain("open_files"), 0.15, 0.25, adds=True),
        Measure("cpu", "CPU a session", work, 0.25, 0.25),
        Measure("login", "The time of a sign-in", logarithm("auth_seconds"), 0.25, 0.25),
        Measure("handshake", "The time of a handshake", logarithm("handshake_ms"), 0.15, 0.15),
        Measure("rtt", "The round trip to users", logarithm("rtt_ms"), 0.15, 0.15),
        Measure("retransmissions", "The share of segments sent again", RESENT, 0.4, 0.4, events="retransmitted"),
        Measure(
            "failures",
            "The share of sign-ins that fail",
            share("failures", "logins", least=TRIES),
            0.7,
            0.7,
            events="failures",
        ),
        Measure("errors", "Errors of sessions", an_hour("errors"), 0.7, 0.7, events="errors"),
        Measure("reconnects", "Reconnects of sessions", an_hour("reconnects"), 0.5, 0.5, events="reconnects"),
        Measure("length", "The length of a session", length, 0.3, 0.3, worse=-1, events="departures"),
        Measure("dtls", "The share of users with DTLS", over_dtls, 0.15, 0.15, worse=-1),
    )
}


def load(each: Bin) -> float | None:
    """What users do to every measure is taken out by this."""
    return each.of("sessions")
