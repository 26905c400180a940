"""Stress: users log in, hold, move traffic and leave, on the new and the old release side by side on one machine.

A round does the same on both sides, step by step in turn and in random order, so what else the machine does hits both.
What is compared are pairs of one moment; verdict.py says how sure the difference is.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from releases.matrix.ports import Bench, NoTunnel, Outcome, Side, SignIn, Tunnel, Usage
from releases.matrix.verdict import Interval, Verdict, difference, ratio, slope

SIDES: tuple[Side, Side] = ("old", "new")
SETTLE = 3.0  # seconds
Say = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Load:
    """How much, for how long, and how sure a verdict must be."""

    users: int = 8  # on each side
    rounds: int = 14
    bursts: int = 2  # in a round: all users of a side at once
    rate: float = 8.0  # users a second who start to log in, both sides together
    hold: float = 0.3  # seconds
    stream: int = 3 * 1024 * 1024  # bytes each way and user
    confidence: float = 0.99


@dataclass(frozen=True)
class Tolerance:
    """How much worse the new release may be."""

    times: float = 1.25  # of time, of the inverse of a rate
    cost: float = 1.5  # of CPU and memory of a session
    growth: float = 24 * 1024.0  # bytes for each login, more than the old release's
    files: float = 0.05  # open files for each login, more than the old release's
    failed: float = 0.12  # of the logins, more than the old release's


@dataclass
class Samples:
    """What one side showed. Lists of equal length on both sides hold pairs, NaN where one half is missing."""

    login_ms: list[float] = field(default_factory=list)
    burst_ms: list[float] = field(default_factory=list)  # until the last of all users who started at once was in
    seconds: list[float] = field(default_factory=list)  # of one user's traffic
    cpu_ms: list[float] = field(default_factory=list)  # of a session: login, traffic, leaving
    session_bytes: list[float] = field(default_factory=list)
    idle_bytes: list[float] = field(default_factory=list)  # of the server with nobody on it, at each round's end
    files: list[float] = field(default_factory=list)  # open then
    logins: list[float] = field(default_factory=list)  # so far, at each round's end
    processes: int = 0  # before the first user came
    tried: int = 0
    failed: int = 0
    last_words: str = ""


Taken = Mapping[Side, Samples]


def measure(bench: Bench, load: Load, say: Say) -> Taken:
    """Run all rounds; slow."""
    taken: dict[Side, Samples] = {side: Samples(processes=bench.usage(side).processes) for side in SIDES}
    dice = random.Random(0)  # nosec B311 # noqa: S311 - an order, no secret
    with ThreadPoolExecutor(max_workers=load.users) as threads:
        for number in range(1, load.rounds + 1):
            say(f"round {number} of {load.rounds}, {load.users} users on each side", number - 1, load.rounds)
            _Round(bench, load, taken, threads, dice).run()
    return taken


@dataclass(frozen=True)
class _Round:
    """One round on both sides."""

    _bench: Bench
    _load: Load
    _taken: Taken
    _threads: ThreadPoolExecutor
    _dice: random.Random

    def run(self) -> None:
        for side in (side for _ in range(self._load.bursts) for side in self._turn()):
            self._burst(side)
        idle = {side: self._settled(side) for side in SIDES}
        tunnels = self._paced()
        try:
            time.sleep(self._load.hold)
            held = {side: self._bench.usage(side) for side in SIDES}
            self._traffic(tunnels)
        finally:
            self._leave([tunnel for side in SIDES for tunnel in tunnels[side].values()])
        for side in SIDES:
            samples, users = self._taken[side], max(1, len(tunnels[side]))
            after = self._settled(side)
            samples.session_bytes.append(max(1.0, (held[side].memory - idle[side].memory) / users))
            samples.cpu_ms.append(max(0.1, 1000 * (after.cpu_seconds - idle[side].cpu_seconds) / users))
            samples.idle_bytes.append(after.memory)
            samples.files.append(after.open_files)
            samples.logins.append(samples.tried)

    def _settled(self, side: Side) -> Usage:
        """What the server uses with nobody on it: its workers end a moment after their users."""
        deadline = time.monotonic() + SETTLE
        while (seen := self._bench.usage(side)).processes > self._taken[side].processes:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return seen

    def _turn(self) -> list[Side]:
        return self._dice.sample(SIDES, 2)

    def _burst(self, side: Side) -> None:
        """All users of a side at once: how long until the last is in."""
        began = time.monotonic()
        asked = [self._threads.submit(self._enter, side, seat) for seat in range(self._load.users)]
        tunnels = [tunnel for tunnel in (self._counted(side, one.result()) for one in asked) if tunnel]
        took = max((tunnel.ready_ms for tunnel in tunnels), default=1000 * (time.monotonic() - began))
        self._taken[side].burst_ms.append(took)
        self._leave(tunnels)

    def _leave(self, tunnels: Sequence[Tunnel]) -> None:
        list(self._threads.map(lambda tunnel: tunnel.close(), tunnels))

    def _paced(self) -> dict[Side, dict[int, Tunnel]]:
        """The users of both sides, one after the other at the given rate, in pairs of random order."""
        tunnels: dict[Side, dict[int, Tunnel]] = {side: {} for side in SIDES}
        order = [(side, seat) for seat in range(self._load.users) for side in self._turn()]
        asked = []
        for side, seat in order:
            asked.append((side, seat, self._threads.submit(self._enter, side, seat)))
            time.sleep(1 / self._load.rate)
        for side, seat, one in asked:
            if tunnel := self._counted(side, one.result()):
                tunnels[side][seat] = tunnel
        for seat in set(tunnels["old"]) & set(tunnels["new"]):
            for side in SIDES:
                self._taken[side].login_ms.append(tunnels[side][seat].ready_ms)
        return tunnels

    def _enter(self, side: Side, seat: int) -> Tunnel | NoTunnel:
        try:
            return self._bench.sign_in(SignIn(side=side, seat=seat, dtls=seat % 2 == 0))
        except NoTunnel as refused:
            return refused

    def _counted(self, side: Side, came: Tunnel | NoTunnel) -> Tunnel | None:
        samples = self._taken[side]
        samples.tried += 1
        if not isinstance(came, NoTunnel):
            return came
        samples.failed += 1
        samples.last_words = came.say
        return None

    def _traffic(self, tunnels: Mapping[Side, Mapping[int, Tunnel]]) -> None:
        for seat in sorted(set(tunnels["old"]) & set(tunnels["new"])):
            seen = {
                side: tunnels[side][seat].stream(up=self._load.stream, down=self._load.stream) for side in self._turn()
            }
            if all(one.whole for one in seen.values()):
                for side in SIDES:
                    self._taken[side].seconds.append(seen[side].seconds)


def judge(taken: Taken, load: Load, tolerance: Tolerance) -> dict[str, Outcome]:
    """One outcome a test. Pure."""
    new, old = taken["new"], taken["old"]
    most, sure = tolerance.times, load.confidence

    def compared(name: str, mine: Sequence[float], theirs: Sequence[float], most: float) -> Outcome:
        return _ratio(name, mine, theirs, most=most, confidence=sure)

    return {
        "time to log in": compared("A login takes", new.login_ms, old.login_ms, most),
        "login rate": compared("All users at once are in after", new.burst_ms, old.burst_ms, most),
        "throughput": compared("The same traffic takes", new.seconds, old.seconds, most),
        "CPU of a session": compared("A session costs", new.cpu_ms, old.cpu_ms, tolerance.cost),
        "memory of a session": compared("A session holds", new.session_bytes, old.session_bytes, tolerance.cost),
        "memory growth": _growth("bytes", taken, "idle_bytes", most=tolerance.growth, confidence=sure),
        "open files": _growth("open files", taken, "files", most=tolerance.files, confidence=sure),
        "failed logins": _failed(new, old, most=tolerance.failed, confidence=sure),
    }


_WORD = {Verdict.GREEN: "within", Verdict.RED: "beyond", Verdict.UNCLEAR: "not clearly within"}


def _ratio(name: str, new: Sequence[float], old: Sequence[float], *, most: float, confidence: float) -> Outcome:
    seen = ratio(new, old, confidence=confidence)
    verdict = seen.against(most)
    between = f"{seen.low:.2f} to {seen.high:.2f} times what the old release needs"
    say = f"{name} {between}: {_WORD[verdict]} the {most:g} that are allowed ({len(new)} pairs)."
    if math.isinf(seen.high):
        say = f"{len(new)} pairs are too few for a verdict."
    return Outcome(verdict, say, _numbers(seen, most, new, old, kind="ratio"))


def _growth(what: str, taken: Taken, column: str, *, most: float, confidence: float) -> Outcome:
    """How much more the new server keeps after each login than the old one, at the same moments."""
    new, old = list(getattr(taken["new"], column)), list(getattr(taken["old"], column))
    logins = taken["new"].logins
    seen = slope(logins, [mine - theirs for mine, theirs in zip(new, old, strict=True)], confidence=confidence)
    verdict = seen.against(most)
    between = f"{_number(seen.low)} to {_number(seen.high)} {what} more kept for each login than by the old release"
    say = f"{between}: {_WORD[verdict]} the {_number(most)} that are allowed ({len(new)} rounds)."
    if math.isinf(seen.high):
        say = f"{len(new)} rounds are too few for a verdict."
    return Outcome(verdict, say, {**_numbers(seen, most, new, old, kind="growth"), "x": logins})


def _failed(new: Samples, old: Samples, *, most: float, confidence: float) -> Outcome:
    seen = difference((new.failed, new.tried), (old.failed, old.tried), confidence=confidence)
    verdict = seen.against(most)
    counted = f"{new.failed} of {new.tried} logins failed, on the old release {old.failed} of {old.tried}"
    say = f"{counted}: at most {100 * seen.high:.1f} points more, {_WORD[verdict]} the {100 * most:g} that are allowed."
    numbers = {"low": seen.low, "middle": seen.middle, "high": seen.high, "most": most, "kind": "share"}
    return Outcome(verdict, say, _finite(numbers), f"new: {new.last_words}\nold: {old.last_words}")


def _numbers(
    seen: Interval, most: float, new: Sequence[float], old: Sequence[float], *, kind: str
) -> dict[str, object]:
    bounds = _finite({"low": seen.low, "middle": seen.middle, "high": seen.high, "most": most})
    return {**bounds, "kind": kind, "new": [round(one, 3) for one in new], "old": [round(one, 3) for one in old]}


def _finite(numbers: Mapping[str, object]) -> dict[str, object]:
    """JSON knows no infinity: an open end is null."""
    return {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in numbers.items()}


def _number(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
