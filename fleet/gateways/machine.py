"""The gateway inside the in-memory adapter: slots, steering, users and faults, moved on by a clock. Pure.

It follows docs/ocgate-protocol.md: only new users are steered, a trial ends by itself, a lower fence is refused. What
becomes of a user is decided at the moment he knocks, in the order of time, however seldom somebody looks.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from fleet.errors import GiveUp
from fleet.gateways.crowd import Crowd
from fleet.gateways.holdings import Holdings
from fleet.gateways.steering import Place as Place
from fleet.gateways.steering import Steering
from fleet.ports import SHORT_ID, Session, SlotMetrics

SLOTS = (1, 2, 3)


@dataclass
class Faults:
    """What goes wrong, as a test or the demo wants it. Everything may be set while the gateway lives."""

    unreachable: bool = False
    lose_answers: int = 0  # so many changes still happen, but their answer is lost
    disk_full: bool = False
    conf_changed: bool = False
    no_nft: bool = False  # it can't steer; releases are replaced in place
    slow_seconds: float = 0.0  # each answer takes so long
    clock_offset: float = 0.0  # the gateway's clock minus ours, seconds
    start_failed: set[str] = field(default_factory=set)  # releases that do not start
    dies_after: dict[str, float] = field(default_factory=dict)  # release → seconds from its start to its death
    bad_logins_after: dict[str, int] = field(default_factory=dict)  # release → logins that work before they fail
    bad_login_share: float = 1.0  # of the logins after those


@dataclass
class Slot:
    number: int
    release: str = ""
    version: str = ""
    pid: int = 0
    since: float = 0.0
    running: bool = False
    failed: bool = False
    steered: bool = False  # has had new clients
    restarts: int = 0
    logins: int = 0
    auth_failures: int = 0
    session_errors: int = 0
    conf: str = ""  # SHA-256 of the configuration that it runs with; "" is the agreed one
    brings: bool = False  # its commit makes that one the agreed one
    before: str = ""  # what it ran with before a reload
    until: float = 0.0  # when it goes back to that by itself; 0: never
    message: str = ""

    def end_reload(self) -> None:
        """Run with what was there before the reload."""
        self.conf, self.brings, self.before, self.until = self.before, False, "", 0.0


class Machine:
    """One gateway's whole state. Not thread-safe: memory.py holds its lock."""

    def __init__(self, name: str, *, crowd: Crowd, faults: Faults | None = None) -> None:
        self.name = name
        self.crowd = crowd
        self.faults = faults or Faults()
        self.fence = 0
        self.slots = {number: Slot(number) for number in SLOTS}
        self.steering = Steering()
        self.releases: dict[str, tuple[str, str]] = {}  # release → (digest, version)
        self.holdings = Holdings()
        self.guests: dict[str, Session] = {}  # sessions that a test signed in by hand
        self.effects: Counter[str] = Counter()  # verb → how often it really changed something
        self.cut: list[Session] = []  # users who lost their session without wanting to
        self.signed_out: list[str] = []  # short ids of sessions that their own users ended
        self.logins_failed = 0  # the users' own count
        self.boots = 1
        self.booted_at = 0.0

    def advance(self, now: float) -> None:
        """Let everything happen that was due up to `now`, in the order of time."""
        while (at := min(self.crowd.next_due(), self.steering.until, self._next_end())) <= now:
            if self.steering.until <= at:
                self.go_back(at)
            for slot in self.slots.values():
                if self._death(slot) <= at:
                    self.stop(slot, at, failed=True)
                elif 0 < slot.until <= at:
                    slot.end_reload()
            self.crowd.step(self, at)

    def end_trial(self) -> None:
        self.steering.trial, self.steering.until, self.steering.back = None, math.inf, None

    def go_back(self, at: float) -> list[Session]:
        """Start again what the trial was put in place of; who was cut."""
        lost: list[Session] = []
        if (back := self.steering.back) is not None:
            lost = [one for number in self.weights() for one in self.stop(self.slots[number], at, failed=False)]
            self.launch(self.slots[back.slot], back.release, at)
        self.end_trial()
        return lost

    def settle(self, to: Place) -> None:
        """Send all new clients there for good."""
        if self.steering.committed != to:
            self.steering.previous, self.steering.restored = self.steering.committed, False
        self.steering.committed = to
        self.slots[to.slot].message = ""
        self.end_trial()

    def weights(self) -> dict[int, int]:
        """Where new clients go now: slot → percent."""
        if self.steering.trial is not None:
            return dict(self.steering.trial)
        return {self.steering.committed.slot: 100} if self.steering.committed else {}

    def sessions(self) -> list[Session]:
        return [*self.crowd.sessions(), *self.guests.values()]

    def on_slot(self, number: int) -> list[Session]:
        return [session for session in self.sessions() if session.slot == number]

    def admit(self, fence: int) -> None:
        """Refuse a worker that was thought dead."""
        if fence < self.fence:
            raise GiveUp(f"Fence {fence} is older than {self.fence}, which {self.name} has seen.", code="fence_too_low")
        self.fence = fence

    def slot(self, number: int) -> Slot:
        if number not in self.slots:
            raise GiveUp(f"{self.name} has no slot {number}; its slots are 1 to {len(SLOTS)}.", code="slot_unknown")
        return self.slots[number]

    def running(self, number: int) -> Slot:
        slot = self.slot(number)
        if not slot.running:
            raise GiveUp(f"No ocserv runs in slot {number} of {self.name}.", code="slot_not_running")
        return slot

    def launch(self, slot: Slot, release: str, at: float) -> None:
        """Start a staged release in a slot that is free. Counts as an effect of `start`."""
        if release in self.faults.start_failed:
            slot.failed, slot.release = True, release
            raise GiveUp(
                f"ocserv of {release} ended at once in slot {slot.number} of {self.name}.", code="start_failed"
            )
        pid = 1000 * slot.number + self.effects["start"] + 1
        fresh = Slot(slot.number, release=release, version=self.releases[release][1], pid=pid, since=at, running=True)
        self.slots[slot.number] = fresh
        self.effects["start"] += 1

    def stop(self, slot: Slot, at: float, *, failed: bool) -> list[Session]:
        """End a slot and the sessions on it; return these."""
        lost = self.on_slot(slot.number)
        for session in lost:
            self.crowd.forget(session, at)
            self.guests.pop(session.id, None)
        self.cut += lost
        if failed:
            slot.running, slot.failed, slot.restarts = False, True, slot.restarts + 1
        else:
            self.slots[slot.number] = Slot(slot.number)
        return lost

    def reboot(self, at: float) -> None:
        """Every session ends, the trial too; then the committed slot serves, as after a boot of a real gateway."""
        for slot in self.slots.values():
            self.stop(slot, at, failed=False)
        self.end_trial()
        self.boots += 1
        self.booted_at = at
        if self.steering.committed:
            self.launch(self.slots[self.steering.committed.slot], self.steering.committed.release, at)

    def sign_in(self, at: float, *, id: str, user: str, remote: str) -> Session | None:
        """A new client knocks: the steering picks the slot by his address, the slot lets him in or not."""
        slot = self._steer(remote)
        if slot is None or not slot.running or self.refuses(slot, id):
            self.logins_failed += 1
            if slot is not None and slot.running:
                slot.auth_failures += 1
            return None
        slot.logins += 1
        return Session(
            slot=slot.number,
            id=id,
            user=user,
            remote=remote,
            since=at,
            vpn_ip=f"10.{9 + slot.number}.0.{slot.logins % 254 + 1}",
        )

    def sign_out(self, session: Session) -> None:
        self.guests.pop(session.id, None)
        self.signed_out = [*self.signed_out, session.id[:SHORT_ID]][-1000:]

    def metrics(self, now: float) -> Iterable[SlotMetrics]:
        """Counters of the slots that run or have failed."""
        for slot in self.slots.values():
            if slot.running or slot.failed:
                users = len(self.on_slot(slot.number))
                yield SlotMetrics(
                    slot=slot.number,
                    release=slot.release,
                    version=slot.version,
                    sessions=users,
                    logins=slot.logins,
                    auth_failures=slot.auth_failures,
                    session_errors=slot.session_errors,
                    cpu_seconds=round((now - slot.since) * 0.002 + slot.logins * 0.01, 3),
                    rss_bytes=9_000_000 + 2_500_000 * users if slot.running else 0,
                    open_files=40 + 9 * users if slot.running else 0,
                    restarts=slot.restarts,
                    up_since=slot.since,
                    arrivals=slot.logins,
                )

    def dump(self) -> dict[str, Any]:
        """Everything that a new process must know, as data for JSON."""
        return {
            "fence": self.fence,
            "slots": [asdict(slot) for slot in self.slots.values()],
            "steering": self.steering.dump(),
            "releases": self.releases,
            "holdings": self.holdings.dump(),
            "guests": [asdict(session) for session in self.guests.values()],
            "effects": dict(self.effects),
            "logins_failed": self.logins_failed,
            "signed_out": self.signed_out,
            "boots": self.boots,
            "booted_at": self.booted_at,
            "chairs": self.crowd.dump(),
        }

    def load(self, raw: dict[str, Any]) -> None:
        """Take up where `dump` left off."""
        self.fence = int(raw["fence"])
        self.slots = {slot["number"]: Slot(**slot) for slot in raw["slots"]}
        self.steering = Steering.load(raw["steering"])
        self.releases = {name: (digest, version) for name, (digest, version) in raw["releases"].items()}
        self.holdings = Holdings.load(raw.get("holdings", {}))
        self.guests = {session["id"]: Session(**session) for session in raw["guests"]}
        self.effects = Counter(raw["effects"])
        self.logins_failed = int(raw["logins_failed"])
        self.signed_out = list(raw.get("signed_out", []))
        self.boots = int(raw["boots"])
        self.booted_at = float(raw.get("booted_at", 0.0))
        self.crowd.load(raw["chairs"])

    def _steer(self, remote: str) -> Slot | None:
        # The same address always on the same side, as with nft's jhash.
        mark = int.from_bytes(hashlib.sha256(remote.encode()).digest()[:4], "big") % 100
        for number, weight in sorted(self.weights().items()):
            mark -= weight
            if mark < 0:
                self.slots[number].steered = True
                return self.slots[number]
        return None

    def refuses(self, slot: Slot, login: str) -> bool:
        """Does the release's fault meet this login? The same login has the same luck in every process."""
        after = self.faults.bad_logins_after.get(slot.release)
        if after is None or slot.logins < after:
            return False
        return random.Random(login).random() < self.faults.bad_login_share  # nosec B311 # noqa: S311 - a simulation

    def _death(self, slot: Slot) -> float:
        seconds = self.faults.dies_after.get(slot.release) if slot.running else None
        return math.inf if seconds is None else slot.since + seconds

    def _next_end(self) -> float:
        """Of a slot, or of what was loaded into one."""
        return min(min(self._death(slot), slot.until or math.inf) for slot in self.slots.values())
