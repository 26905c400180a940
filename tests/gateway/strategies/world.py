"""Whole rollouts on three real gateways at once, each gateway's steps in a thread of its own as the workers do it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet import gateways
from fleet.models import Gateway
from fleet.ports import Gateway as Port
from lab.commands import wait_until
from lab.fleet import Lab
from lab.gateway import Gateway as LabGateway
from lab.vpn import Vpn
from tests.gateway.ocgate import guests
from tests.gateway.upgrader.world import RealFleet, Users
from upgrader import engine, run, strategy_store, strategy_text
from upgrader.models import Rollout, StepRun, Strategy, Upgrade

GATEWAYS, USERS = 3, 6
SHORT: dict[str, Any] = {
    "observe_seconds": 4,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "limits": {"login_success_min": 0.98, "min_logins": 3, "restarts_max": 0},
}
"""What a shipped strategy gets so that it does not take a day."""


class Site(RealFleet):
    """Three gateways in one pool. The test's database is one connection's at a time, so whoever waits for a gateway
    lets the others at it; a worker has no such lock."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.rows, self.database = [self.row], threading.Lock()
        for machine in lab.gateways[1:]:
            self.machine = machine
            self.rows.append(self.enrol())
        self.threads = ThreadPoolExecutor(len(self.rows))
        self.opener = self.opened

    def home(self) -> None:
        for row, machine in zip(self.rows, self.lab.gateways, strict=True):
            self.row, self.machine = row, machine
            super().home()

    def shipped(self, name: str, **changed: Any) -> Strategy:
        """A strategy as it is shipped, with short times."""
        data = strategy_text.read(strategy_store.shipped()[name]).data
        waves = [
            {field: value for field, value in wave.items() if field != "observe_seconds"}
            for wave in data.get("waves", [])
        ]
        spec = {**data, **({"waves": waves} if waves else {}), **SHORT, **changed}
        self.strategy = Strategy.objects.create(name=f"short-{name}", title=f"Short {name}", spec=spec)
        return self.strategy

    def opened(self, row: Gateway) -> Port:
        port: Any = Unlocked(gateways.open(row), self.database)
        return port  # type: ignore[no-any-return]  # it hands everything on

    def once(self) -> None:
        with self.database:
            due = engine.tick(now=self.now())
        self.work_on(due)

    def work_on(self, step_ids: Sequence[int]) -> None:
        """Run these steps at the same time."""
        list(self.threads.map(self._run, step_ids))

    def _run(self, step_id: int) -> None:
        with self.database:
            run.run_step(step_id, opener=self.opener, clock=self.now)

    def until_all_due(self, rollout: Rollout, name: str) -> list[StepRun]:
        """Work until the tick names this step for every gateway at once; leave them undone."""
        mine = StepRun.objects.filter(upgrade__wave__rollout=rollout, name=name)
        for _ in range(600):
            due = engine.tick(now=self.now())
            if found := list(mine.filter(pk__in=due)):
                return found
            self.work_on(due)
        raise AssertionError(f"{name} never came: {self.fresh(rollout).state}, {rollout.reason}")

    def steps(self, rollout: Rollout, name: str) -> list[StepRun]:
        return list(StepRun.objects.filter(upgrade__wave__rollout=rollout, name=name).order_by("pk"))

    def carry(self, rollout: Rollout, *states: str, seconds: float = 240) -> Rollout:
        """Work on, and say yes to each wave that waits for a person, until the rollout is in one of the states."""

        def there() -> bool:
            nothing_begun = not rollout.waves.exclude(state__in=("planned", "passed")).exists()
            if self.fresh(rollout).state == "waiting_promotion" and nothing_begun:
                self.act("promote", rollout, reason="")
            return rollout.state in states

        self.work_until(there, what=f"The way to {states}", seconds=seconds)
        return rollout

    def weights(self) -> list[dict[int, int]]:
        """Where each gateway sends new clients, as it says now."""
        return [{slot: share for slot, share in dict(self.facts(row).weights).items() if share} for row in self.rows]

    def slots(self) -> list[dict[int, tuple[str, str]]]:
        """Of each gateway: slot → state and release, as it says now."""
        return [{slot.slot: (slot.state, slot.release) for slot in self.facts(row).slots} for row in self.rows]

    def facts(self, row: Gateway) -> Any:
        port = gateways.open(row)
        try:
            return port.facts()
        finally:
            port.close()

    def in_order(self, rollout: Rollout) -> list[Upgrade]:
        found = Upgrade.objects.filter(wave__rollout=rollout).select_related("wave", "gateway")
        return list(found.order_by("wave__number", "pk"))


class Unlocked:
    """A gateway; each question to it lets others at the database until it is answered."""

    def __init__(self, port: Port, database: threading.Lock) -> None:
        self._port, self._database = port, database

    def __getattr__(self, name: str) -> Callable[..., Any]:
        asked = getattr(self._port, name)

        def ask(*args: Any, **named: Any) -> Any:
            self._database.release()
            try:
                return asked(*args, **named)
            finally:
                self._database.acquire()

        return ask


class Crowd(Users):
    """The lab's users, two at each gateway."""

    def sit_down(self) -> None:
        """Sign those in who are out; from here on nobody may lose his session or a packet."""
        here = {session["user"]: session["slot"] for session in self.everywhere()}
        out = [c for c in self.lab.clients.all if here.get(c.user) != 1 or not c.vpn.connected]
        for client in out:
            client.vpn.stop()
        for gateway in self.lab.gateways:
            guests.end_sessions(gateway, ["guest1", *(client.user for client in out)])
        self.lab.clients.connect(out)
        everyone = {client.user for client in self.lab.clients.all}
        wait_until(lambda: set(self.sessions()) == everyone, seconds=30, what="All users on their gateways")
        if out or not self.ids:
            self.ids, self.lost = self.sessions(), self.losses()

    def everywhere(self) -> list[dict[str, Any]]:
        return [session for gateway in self.lab.gateways for session in gateway.sessions()]

    def sessions(self) -> dict[str, str]:
        return {session["user"]: session["id"] for session in self.everywhere() if session["user"] != "guest1"}


def newcomer(lab: Lab, gateway: LabGateway, host: int) -> tuple[int, Vpn]:
    """The slot on which somebody new arrives, who stays."""
    here = {session["id"] for session in gateway.sessions()}
    guest = guests.sign_in(lab, gateway, host)
    (slot,) = {int(session["slot"]) for session in gateway.sessions() if session["id"] not in here}
    return slot, guest


def stranger(lab: Lab, gateway: LabGateway, host: int) -> int:
    """The slot on which somebody new arrives, who leaves again."""
    slot, guest = newcomer(lab, gateway, host)
    guest.stop()
    return slot
