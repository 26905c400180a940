"""Gateways over days, for `script/bench anomaly`: users who come and go by the hour, and what they make of a gateway.

Bins of 600 s, seeds fixed. Noise keeps most of the value before it; what all gateways of a pool feel is common to them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, exp, pi, sqrt

from fleet.quiet.bins import Bin

WIDTH = 600
HOUR = 3600
DAY = 86_400
BEGIN = 1_795_089_600  # a Thursday at noon: the release begins to serve
AFTER = 3 * DAY
MIB = 1024 * 1024


@dataclass(frozen=True)
class Fault:
    """`column`: what gets worse: by `step`, a factor, or by `hourly`, a share an hour; `after`: hours since BEGIN."""

    column: str
    step: float = 1.0
    hourly: float = 0.0
    after: float = 0.0
    fills: float = 0.0  # hours in which it comes to an end: no loss

    def factor(self, at: int) -> float:
        hours = (at - BEGIN) / HOUR - self.after
        if hours < 0:
            return 1.0
        if self.fills:
            return 1 + (self.step - 1) * (1 - exp(-hours / self.fills))
        return self.step * (1 + self.hourly * hours)


@dataclass(frozen=True)
class Scene:
    """`past`: hours before BEGIN; `peers`: gateways that keep their release; `wrong`: whether there is a loss."""

    faults: tuple[Fault, ...] = ()
    wrong: bool = False
    past: int = 8 * 24
    peers: int = 6
    everywhere: bool = False  # the faults are the pool's and not the release's
    season: float = 0.5  # how much of the users sleep
    growth: float = 0.0  # of users, a day, since BEGIN


NOISE: Mapping[str, tuple[float, float]] = {
    "users": (0.9, 0.15),
    "rss_bytes": (0.8, 0.02),
    "open_files": (0.5, 0.01),
    "cpu": (0.7, 0.12),
    "auth_seconds": (0.6, 0.1),
    "handshake_ms": (0.8, 0.06),
    "rtt_ms": (0.9, 0.06),
    "retransmitted": (0.7, 0.25),
    "failures": (0.6, 0.3),
    "errors": (0.5, 0.3),
    "reconnects": (0.7, 0.3),
    "departures": (0.3, 0.1),
}
"""What a value keeps of its deviation, and how large that is; of logarithms."""


class Weather:
    """Noise with memory of every column. `size`: times NOISE."""

    def __init__(self, rng: random.Random, size: float = 1.0) -> None:
        self._rng, self._size = rng, size
        self._now = {name: rng.gauss(0, spread * size) for name, (_, spread) in NOISE.items()}

    def next(self) -> Mapping[str, float]:
        for name, (kept, spread) in NOISE.items():
            fresh = self._rng.gauss(0, spread * self._size * sqrt(1 - kept * kept))
            self._now[name] = kept * self._now[name] + fresh
        return dict(self._now)


def many(rng: random.Random, mean: float) -> int:
    """Poisson; normal where that is the same."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    left, count = exp(-mean), 0
    chance = rng.random()
    while chance > left:
        chance *= rng.random()
        count += 1
    return count


def asleep(at: int, season: float) -> float:
    """The share of the usual users who are there at this hour of the week."""
    weekday = at // DAY % 7 not in (2, 3)  # 1970 began with a Thursday
    day = 1 - season * (0.5 - 0.5 * cos(2 * pi * (at % DAY - 13 * HOUR) / DAY))
    return day * (1.0 if weekday else 1 - 0.6 * season)


def week(rng: random.Random, scene: Scene, common: Mapping[int, Mapping[str, float]], *, hit: bool) -> list[Bin]:
    """One gateway from its past to AFTER. `hit`: the scene's faults are its."""
    own, size = Weather(rng), rng.uniform(40, 150)
    made = []
    for at in sorted(common):
        noise = {name: value + common[at][name] for name, value in own.next().items()}
        worse = {name: 1.0 for name in NOISE}
        for fault in scene.faults if hit else ():
            worse[fault.column] *= fault.factor(at)
        grown = 1 + scene.growth * max(0, at - BEGIN) / DAY
        users = max(0.0, size * asleep(at, scene.season) * grown * exp(noise["users"]))
        made.append(Bin(at, WIDTH, columns(rng, users, {n: exp(noise[n]) * worse[n] for n in NOISE})))
    return made


def columns(rng: random.Random, users: float, times: Mapping[str, float]) -> dict[str, float | None]:
    """A reading's columns of one bin. `times`: the factor of each column now."""
    hours = WIDTH / HOUR
    leave = many(rng, users * hours / 4 * times["departures"])
    segments = many(rng, users * 900)
    tries = leave + many(rng, 0.3 * leave + 0.1)
    return {
        "sessions": users,
        "dtls": 0.9 * users,
        "departures": leave,
        "arrivals": leave,
        "logins": tries,
        "failures": many(rng, 0.05 * tries * times["failures"]),
        "errors": many(rng, users * hours * 0.02 * times["errors"]),
        "reconnects": many(rng, users * hours * 0.2 * times["reconnects"]),
        "segments": segments,
        "retransmitted": many(rng, segments * 0.01 * times["retransmitted"]),
        "cpu_seconds": WIDTH * (0.01 + 0.004 * users) * times["cpu"],
        "rss_bytes": (60 + 4 * users * times["rss_bytes"]) * MIB,
        "open_files": 60 + 5 * users * times["open_files"],
        "rtt_ms": 40 * times["rtt_ms"],
        "handshake_ms": 10 * (1 + users / 1000) * times["handshake_ms"],
        "auth_seconds": 1.5 * times["auth_seconds"],
    }


@dataclass(frozen=True)
class Town:
    gateway: list[Bin]
    peers: list[list[Bin]]


def town(seed: str, scene: Scene) -> Town:
    """The gateway that got the release, and its peers."""
    rng = random.Random(seed)
    weather = Weather(rng, 0.7)
    common = {at: weather.next() for at in range(BEGIN - scene.past * HOUR, BEGIN + AFTER, WIDTH)}
    gateway = week(rng, scene, common, hit=True)
    return Town(gateway, [week(rng, scene, common, hit=scene.everywhere) for _ in range(scene.peers)])
