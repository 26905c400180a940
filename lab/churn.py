"""New users who sign in, stay a moment and leave, from many addresses; every try is counted."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.commands import LabError
from lab.networks import Networks
from lab.spaces import FIRST_CHURN, Corner
from lab.vpn import Account, Vpn

GUESTS = tuple(f"guest{number}" for number in range(1, 9))
STAY, PATIENCE = 2.0, 25.0
MOST_AT_ONCE = 8
ADDRESSES_EACH = 10


@dataclass
class Counts:
    """What came of the tries so far; `failures` are the last ones, newest last."""

    tried: int = 0
    failed: int = 0
    login_ms: list[float] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)


class Churn:
    """Sign-ins at a steady rate, spread over the gateways. One corner per worker, another address for each try."""

    def __init__(self, networks: Networks, guests: dict[str, list[Account]], *, folder: Path, ca: Path) -> None:
        self._networks, self._guests, self._folder, self._ca = networks, guests, folder, ca
        self._corners: list[Corner] = []
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._turns = itertools.count()
        self._next_start = 0.0
        self.rate = 0.0
        self.counts = Counts()

    def start(self, rate: float, *, gateways: list[str] | None = None) -> None:
        """Begin `rate` sign-ins a second over all gateways or the named ones; counts go on from where they were."""
        self.stop()
        self._ending.clear()
        self.rate, self._next_start = rate, time.monotonic()
        names = gateways or list(self._guests)
        workers = min(MOST_AT_ONCE, int(rate * (STAY + 2.0)) + 1)
        for number in range(workers):
            if number == len(self._corners):
                corner = Corner(self._networks, f"x{number + 1}", FIRST_CHURN + number * ADDRESSES_EACH)
                corner.up()
                self._corners.append(corner)
            thread = threading.Thread(target=self._work, args=(self._corners[number], number, names), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let the sign-ins under way end, then stop."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self, corner: Corner, number: int, names: list[str]) -> None:
        first = FIRST_CHURN + number * ADDRESSES_EACH
        while self._wait_for_turn():
            turn = next(self._turns)
            gateway = names[turn % len(names)]
            account = self._guests[gateway][number % len(GUESTS)]
            corner.move(first + (corner.host - first + 1) % ADDRESSES_EACH)
            self._one(Vpn(corner, account, folder=self._folder, ca=self._ca), gateway)

    def _wait_for_turn(self) -> bool:
        with self._lock:
            due = max(self._next_start, time.monotonic())
            self._next_start = due + 1 / self.rate
        return not self._ending.wait(max(0.0, due - time.monotonic()))

    def _one(self, vpn: Vpn, gateway: str) -> None:
        """One sign-in and sign-out, counted when its outcome is known."""
        began = time.monotonic()
        failure = ""
        try:
            vpn.start()
            failure = _outcome(vpn, began + PATIENCE)
            took = 1000 * (time.monotonic() - began)
            if not failure:
                self._ending.wait(STAY)
        except LabError as broken:
            failure, took = str(broken), 0.0
        finally:
            vpn.stop()
        with self._lock:
            self.counts.tried += 1
            self.counts.failed += bool(failure)
            if failure:
                entry: dict[str, Any] = {"at": round(time.time(), 3), "seconds": round(time.monotonic() - began, 3)}
                entry |= {"gateway": gateway, "user": vpn.account.user, "say": failure}
                self.counts.failures = [*self.counts.failures[-19:], entry]
            else:
                self.counts.login_ms.append(took)

    def report(self) -> dict[str, Any]:
        """`tried` `failed` `p50_ms` `p95_ms` (sign-in to tunnel up) and the last `failures`."""
        with self._lock:
            times = sorted(self.counts.login_ms)
            counts = self.counts
            told = {"tried": counts.tried, "failed": counts.failed, "failures": list(counts.failures)}
        return {**told, "p50_ms": _share(times, 0.5), "p95_ms": _share(times, 0.95)}


def _outcome(vpn: Vpn, deadline: float) -> str:
    """ "" when the tunnel came up, else why not."""
    while vpn.running:
        if vpn.connected:
            return ""
        if time.monotonic() > deadline:
            return f"no tunnel within {PATIENCE:.0f} s: {vpn.last_words}"
        time.sleep(0.04)
    return vpn.last_words or "openconnect ended without a word"


def _share(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0
