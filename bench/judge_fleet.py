"""A simulated gateway with its two slots, as the judge's input. Fixed seeds; every number is in `Fleet`.

Users sign in at random (Poisson); what fails, fails by itself. With `memory` the times of both slots, and the chance
that something fails there, are series of which each value keeps that share of the one before it, on each slot apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import exp, log, sqrt

from upgrader.analysis.rates import INTERVAL, Counted
from upgrader.analysis.times import Pair
from upgrader.gates import Evidence, Side
from upgrader.readings import Sides

LOOK = 5.0  # seconds
WINDOW = 180  # looks: 15 minutes
FELT = ("rtt", "retransmissions", "memory", "cpu", "door_time")  # of which each 30 s have one size


@dataclass(frozen=True)
class Fleet:
    canary: float = 5.0  # users' logins a minute on the new slot
    control: float = 15.0  # and on the old one
    past: int = 1200  # tries that the old slot had counted before the window: an hour
    fails: float = 0.005  # share of users' logins that fail where nothing is wrong
    fails_now: float = 0.005  # and on the new slot
    errors: float = 0.01  # sessions that end in an error, of logins
    probe_fails: float = 0.002
    login_ms: float = 200.0
    handshake_ms: float = 60.0
    spread: float = 0.3  # coefficient of variation of the times, and of what is felt
    reconnects: float = 0.02  # a user and minute
    users: float = 20.0  # on each slot
    slower: float = 1.0  # how many times as long a login takes on the new slot
    memory: float = 0.0
    sway: float = 0.5  # standard deviation of the logarithm of a chance to fail, with memory


@dataclass(frozen=True)
class Look:
    canary: int  # users' logins, and how many of them failed
    canary_failed: int
    control: int
    control_failed: int
    canary_ms: float  # of the probes
    control_ms: float
    evidence: Evidence


def series(rng: random.Random, memory: float) -> Iterator[float]:
    """Standard normal values, each of which keeps `memory` of the one before."""
    now, fresh = rng.gauss(0, 1), sqrt(1 - memory * memory)
    while True:
        yield now
        now = memory * now + fresh * rng.gauss(0, 1)


def poisson(rng: random.Random, mean: float) -> int:
    number, left = 0, rng.expovariate(1.0)
    while left < mean:
        number, left = number + 1, left + rng.expovariate(1.0)
    return number


def failing(rng: random.Random, tried: int, rate: float) -> int:
    return sum(rng.random() < rate for _ in range(tried))


class Slot:
    """One side of the gateway."""

    def __init__(self, rng: random.Random, fleet: Fleet, *, new: bool) -> None:
        self.rng, self.fleet = rng, fleet
        self.per_look = (fleet.canary if new else fleet.control) * LOOK / 60
        self.fails = fleet.fails_now if new else fleet.fails
        self.slower = fleet.slower if new else 1.0
        self.deviation = sqrt(log(1 + fleet.spread**2))
        self.mood, self.login, self.shake = (series(rng, fleet.memory) for _ in range(3))
        self.felt = {name: series(rng, fleet.memory) for name in FELT}

    def users(self) -> tuple[int, int, int]:
        """Logins tried, failed, and sessions that ended in an error, since the last look."""
        sway = self.fleet.sway if self.fleet.memory else 0.0
        more = exp(sway * next(self.mood) - sway * sway / 2)
        tried = poisson(self.rng, self.per_look)
        failed = failing(self.rng, tried, min(1.0, self.fails * more))
        return tried, failed, failing(self.rng, tried, min(1.0, self.fleet.errors * more))

    def sizes(self) -> dict[str, float]:
        """Round trips, packets sent again, memory and CPU of a session in one interval; each wanders by itself."""
        return {name: exp(self.deviation * next(line)) for name, line in self.felt.items()}

    def reconnects(self) -> tuple[float, int]:
        """Minutes of users since the last look, and reconnects in them."""
        minutes = self.fleet.users * LOOK / 60
        return minutes, poisson(self.rng, minutes * self.fleet.reconnects)

    def probe(self) -> tuple[bool, float, float]:
        """Whether it failed, and the milliseconds of login and handshake; what slows one slows half of the other."""
        login, own = next(self.login), next(self.shake)
        shake = sqrt(0.5) * (login + own)
        times = (
            self.fleet.login_ms * exp(self.deviation * login),
            self.fleet.handshake_ms * exp(self.deviation * shake),
        )
        return self.rng.random() < self.fleet.probe_fails, self.slower * times[0], self.slower * times[1]


def window(rng: random.Random, fleet: Fleet, looks: int = WINDOW) -> Iterator[Look]:
    """Each look of one window, with all that the judge has been told by then."""
    new, old = Slot(rng, fleet, new=True), Slot(rng, fleet, new=False)
    past = Counted(fleet.past, failing(rng, fleet.past, fleet.fails))
    logins, errors = Sides(past=past), Sides(past=Counted(fleet.past, failing(rng, fleet.past, fleet.errors)))
    login, shake, again = Pair(), Pair(), Sides()
    felt = dict.fromkeys(FELT, Pair())
    canary, control = Side("new"), Side("old")
    for number in range(1, looks + 1):
        (tried, failed, ended), (tried_too, failed_too, ended_too) = new.users(), old.users()
        logins = looked(logins, (tried, failed), (tried_too, failed_too))
        errors = looked(errors, (tried + ended, ended), (tried_too + ended_too, ended_too))
        (bad, ms, shake_ms), (bad_too, ms_too, shake_ms_too) = new.probe(), old.probe()
        canary, control = probed(canary, bad), probed(control, bad_too)
        if not bad and not bad_too:
            login, shake = login.added(ms, ms_too), shake.added(shake_ms, shake_ms_too)
        again = looked(again, new.reconnects(), old.reconnects())
        if number % INTERVAL == 0:
            pairs = (new.sizes(), old.sizes())
            felt = {name: pair.added(*(side[name] for side in pairs)) for name, pair in felt.items()}
        rates = {"logins": logins, "session_errors": errors, "reconnects": again}
        times = {"login_time": [login], "handshake_time": [shake], **{name: [pair] for name, pair in felt.items()}}
        told = Evidence(canary, control, rates=rates, times=times)
        yield Look(tried, failed, tried_too, failed_too, ms, ms_too, told)


def looked(sides: Sides, canary: tuple[float, int], control: tuple[float, int]) -> Sides:
    return replace(sides, canary=sides.canary.looked(*canary), control=sides.control.looked(*control))


def probed(side: Side, bad: bool) -> Side:
    return replace(side, tried=side.tried + 1, failed=side.failed + bad, run=side.run + 1 if bad else 0)
