"""A small company in memory: pools of simulated gateways with users, people, processes, and a clock that is turned."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from guardian.shortcuts import assign_perm

from approvals.models import Actor, User
from fleet import sealed
from fleet.gateways import rows
from fleet.gateways.crowd import Crowd
from fleet.gateways.machine import Machine, Place
from fleet.gateways.simulated import MemoryGateway
from fleet.gateways.simulated_base import World
from fleet.models import BalancerPeer, Gateway, Pool
from releases.models import ChannelPolicy, Release
from tests.chaos.fronts import WAYS, ChaosPeer, Front, stand
from tests.chaos.processes import Process, Processes
from tests.chaos.watched import Watched
from tests.db.upgrader.world import OLD, START, make_release
from upgrader import tasks
from upgrader.models import Budget

RELEASES = (("1.3.0-2", "1.3.0", 1003000), ("1.4.0-1", "1.4.0", 1004000))
RIGHTS = {
    "ola": ("submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout"),
    "olga": ("submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout", "approve_rollout"),
    "cal": ("approve_rollout", "rollback_rollout", "hold_rollout", "promote_rollout", "pass_freeze"),
    "ada": (),
}
LOOKS = 45.0  # seconds from one look at all gateways to the next: they cost as much as the rollouts
MOST_MESSAGES = 400  # a broker forgets what lies for long; the tick says it again


class Town:
    """Everything of one episode. `told` takes a line of the story."""

    def __init__(self, dice: random.Random, *, told: Callable[[str], None]) -> None:
        self.dice = dice
        self.seconds: float = START.timestamp()
        self.story = told
        self.processes = Processes(dice, clock=lambda: self.seconds, freeze=self.freeze, told=self.told)
        self.beats = [Process("beat", number, "here") for number in range(dice.choice((1, 1, 2)))]
        self.workers = [
            Process("worker", number, dice.choice(("here", "there")), offset=dice.choice((0.0, 0.0, 3.0, -3.0)))
            for number in range(dice.choice((1, 2, 3)))
        ]
        self.browsers = [Process("web", number, "here") for number in range(2)]
        self.messages: list[tuple[float, str, int | list[int]]] = []  # due, task, row or rows
        self.lines: list[Line] = []
        self.looked = 0.0  # when the clocks last asked for all gateways
        self.lossy = dice.choice((0.0, 0.0, 0.05, 0.3))
        self.gateways: dict[str, Watched] = {}
        self.fronts: dict[str, Front] = {}  # by gateway, of those behind balancers
        self.kinds: dict[int, str] = {}  # by pool: a name in fronts.WAYS
        self.allowed: Callable[[str, str], int] = lambda name, verb: 0
        self.failures: list[str] = []  # what no process should have said
        self.every_second: Callable[[], None] = lambda: None
        self.people = {name: User.objects.create(username=name) for name in RIGHTS}
        self.releases: list[Release] = [make_release(*about[:2], counter=about[2]) for about in RELEASES]
        self.pools = [self._pool(number) for number in range(dice.choice((1, 1, 1, 2, 2, 3)))]

    def told(self, line: str) -> None:
        self.story(f"{self.seconds - START.timestamp():7.1f} {line}")

    def _pool(self, number: int) -> Pool:
        pool = Pool.objects.create(name=f"pool-{number}")
        ChannelPolicy.objects.get_or_create(channel=pool.channel)
        for name, rights in RIGHTS.items():
            for right in (*rights, "view_pool"):
                assign_perm(right, self.people[name], pool)
        self.kinds[pool.pk] = self.dice.choice(WAYS)
        size = self.dice.choice((1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12) if number == 0 else (1, 1, 2, 3, 4))
        if size == 12 and self.dice.random() < 0.25:
            size = 24  # seldom: it takes as long as ten small ones
        groups, domains = self.dice.choice((0, 0, 2, size)), self.dice.choice((0, 0, 2, 3))
        for index in range(size):
            group = f"p{number}g{index % groups}" if groups else ""
            domain = f"rack{index % domains}" if domains else ""
            self._gateway(pool, f"gw{number}-{index:02d}", group=group, domain=domain)
        return pool

    def _gateway(self, pool: Pool, name: str, *, group: str, domain: str) -> None:
        users = self.dice.choice((0, 1, 2, 4, 4, 8))
        mean = self.dice.choice((60.0, 120.0, 300.0))
        crowd = Crowd(name, seed=self.dice.randrange(1 << 30), users=users, mean_seconds=mean)
        machine = Machine(name, crowd=crowd)
        machine.releases[OLD] = ("0" * 64, "1.1.6")
        machine.launch(machine.slots[1], OLD, self.seconds)
        machine.steering.committed = Place(1, OLD)
        machine.effects.clear()
        world = World(clock=lambda: self.seconds, sleep=self.wait)
        gateway = MemoryGateway(machine, world=world)
        crowd.open(machine, self.seconds)
        self.gateways[name] = Watched(
            gateway, point=self.processes.point, who=self._who, allowed=lambda name, verb: self.allowed(name, verb)
        )
        Gateway.objects.create(
            name=name, pool=pool, adapter="memory", address=name, release=OLD, sessions=users, group=group,
            failure_domain=domain,
        )  # fmt: skip
        kind, point = self.kinds[pool.pk], self.processes.point
        if front := stand(pool, machine, kind=kind, clock=lambda: self.seconds, point=point):
            self.fronts[name] = front
        Gateway.objects.filter(name=name).update(facts=dict(gateway.facts().raw))
        sealed.seal(f"probe:{name}", b"probe\nsecret")

    def budget(self, percent: int, **more: Any) -> None:
        """What the fleet may have out at the same time."""
        Budget.objects.update_or_create(
            pool=None, defaults={"gateways_percent": percent, "made_at": self.now(), "sessions": None, **more}
        )

    def _who(self) -> str:
        return self.processes.current.name if self.processes.current else "nobody"

    def open(self, row: Gateway) -> Any:
        rows.refuse_silent(row)
        return self.gateways[row.name]

    def open_peer(self, peer: BalancerPeer, gateway: Gateway, servers: object) -> ChaosPeer:
        return self.fronts[gateway.name].peers[peer.name]

    def owner(self) -> str:
        return self.processes.current.owner if self.processes.current else "here:nobody"

    def is_gone(self, owner: str) -> bool:
        """As the kernel's locks say it: only of processes of one's own machine."""
        here = self.processes.current.machine if self.processes.current else "here"
        return owner.startswith(f"{here}:") and owner in self.processes.gone

    def actor(self, name: str) -> Actor:
        person = self.people[name]
        return Actor(kind="person", name=person.username, user_id=person.pk)

    def now(self) -> datetime:
        """The clock of the machine on which this is asked."""
        offset = self.processes.current.offset if self.processes.current else self.workers[0].offset
        return datetime.fromtimestamp(self.seconds + offset, UTC)

    def true_now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def wait(self, seconds: float) -> None:
        """Somebody waits for a slow gateway. The others go on when it is worth it."""
        if seconds < 1 or None in self.processes.stack:
            self.seconds += seconds
        else:
            self.processes.stand_still(seconds)

    def now_and_then(self, call: Callable[..., Any], else_: Any) -> Callable[..., Any]:
        """What is asked at each tick, costs much of it and is beside the point: at some of them."""
        turns = itertools.count()
        return lambda *said, **known: else_ if next(turns) % 8 else call(*said, **known)

    def freeze(self, seconds: float) -> None:
        """Whoever runs now stands still for so long, and everybody else does not."""
        until = self.seconds + seconds
        standing = [process for process in self.processes.stack if process is not None]
        while True:
            self.turn(without=standing)
            if self.seconds >= until:
                return
            self.seconds = min(until, self.seconds + self.dice.choice((1.0, 2.0, 5.0)))

    def send(self, task: str, what: int | list[int], queue: str = "") -> None:
        """The broker: it loses, doubles and delays."""
        copies = 0 if self.dice.random() < self.lossy else 2 if self.dice.random() < self.lossy else 1
        for _ in range(copies):
            late = self.dice.choice((2.0, 20.0, 90.0)) if self.dice.random() < self.lossy else 0.0
            self.messages.append((self.seconds + late, task.rpartition(".")[2], what))
        del self.messages[:-MOST_MESSAGES]

    def is_mine(self, row: int) -> bool:
        """Whether the process that runs now keeps the work to itself."""
        return len(self.workers) < 2 or self.dice.random() < 0.7

    def turn(self, without: list[Process] | None = None) -> None:
        """All that happens at this moment: the clocks beat, the workers do what they are told."""
        frozen = without or []
        for beat in self.beats[: 1 if self.processes.calm else None]:
            if beat not in frozen:
                self.run(beat, "tick", tasks.tick)
        self.every_second()
        if self.seconds >= self.looked + LOOKS and self.beats[0] not in frozen:
            self.looked = self.seconds
            self.run(self.beats[0], "look", tasks.look)
            if free := [worker for worker in self.workers if worker not in frozen]:
                self.run(self.dice.choice(free), "look_at_balancers", tasks.look_at_balancers)
        for _ in range(500):
            if not self.work([worker for worker in self.workers if worker not in frozen]):
                return

    def work(self, free: list[Process]) -> bool:
        """One message or one job of one worker, as the dice want; False when there is nothing to do."""
        ripe = [message for message in self.messages if message[0] <= self.seconds]
        jobs = [line for line in self.lines if line.worker in free and line.born == line.worker.born]
        if not free or not (ripe or jobs):
            return False
        if jobs and (not ripe or self.dice.random() < 0.5):
            line = self.dice.choice(jobs)
            self.lines.remove(line)
            self.run(line.worker, str(line.key), line.job)
        else:
            message = self.dice.choice(ripe)
            self.messages.remove(message)
            self.run(
                self.dice.choice(free), f"{message[1]}({message[2]})", partial(getattr(tasks, message[1]), message[2])
            )
        return True

    def run(self, process: Process, what: str, task: Callable[[], object]) -> None:
        """One task of one process. What it raises is a fault of ours; when it is killed, the next one starts."""

        def work() -> None:
            try:
                task()
            except Exception as error:
                self.failures.append(f"{what} raised {type(error).__name__}: {error}")

        if not self.processes.run(process, work) and process.kind == "worker":
            self.processes.run(process, lambda: tasks.ready())


@dataclass(frozen=True)
class Line:
    """A job that waits for a thread in one worker process; it is gone with the process."""

    worker: Process
    born: int
    key: Hashable
    job: Callable[[], None]


class SimulatedLane:
    """Takes the place of upgrader.lanes.Lane: the dice say which job is next, and nothing runs at the same time."""

    stopping = False

    def __init__(self, town: Town, name: str) -> None:
        self.town, self.name = town, name

    def put(self, key: Hashable, job: Callable[[], None], *, group: Hashable = None, again: bool = False) -> bool:
        process = self.town.processes.current
        if process is None or process.kind != "worker":
            raise AssertionError(f"{process} has no desk")
        line = Line(process, process.born, (self.name, key), job)
        if any((other.key, other.worker, other.born) == (line.key, process, process.born) for other in self.town.lines):
            return False
        self.town.lines.append(line)
        return True
