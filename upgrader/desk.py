"""Where a worker process does its work: what came in as ids goes to the lane that has threads for it.

Steps of one gateway come to one process (`hint.home`), which keeps its connection; a chain of steps stays on one
thread. What a rollback needs has threads of its own: a bundle that is on its way holds none of them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db import connections
from django.utils import timezone

from approvals import trail
from fleet import gateways
from upgrader import engine, hint, run, together
from upgrader.lanes import Lane
from upgrader.models import StepRun

URGENT = frozenset({"restore", "shift", "reload", "commit"})
WATCH = frozenset({"observe", "drain"})
WORK = frozenset(
    {"preflight", "stage", "configure", "check", "start", "probe", "shift", "reload", "commit", "drain", "retire"}
)
THREADS = {
    "urgent": 32,
    "together": together.THREADS,
    "watch": 8,
    "work": 24,
    "look": 8,
    "collect": 9,
    "probe": 4,
    "engine": 2,
    "post": 4,
}
"""Steps wait for gateways, so there are more threads than cores. Measured in docs/performance.md."""
PAUSE_TIMES, PAUSE_MOST = 9, 0.5
"""Between two decisions on one rollout: so many times what the last one took, at most so many seconds. Who asks
meanwhile is answered by the next: a big rollout is not looked at for each of its gateways. Bad news don't wait."""
STOP_SECONDS = 2.5  # the supervisor gives 4


def lane_of(step: str, args: Mapping[str, Any]) -> str:
    """Where a chain begins that starts with this step.

    Who waits for blue-green's common moment waits in a lane of his own: in a full one the next gateway would be asked
    when the moment is over, and a rollback would stand behind it.
    """
    if "at" in args:
        return "together"
    return "urgent" if step in URGENT else "watch" if step in WATCH else "work"


CHAINS = {"urgent": URGENT, "together": URGENT, "watch": WATCH, "work": WORK}
"""Lane → the steps with which a chain goes on there."""


def rest() -> None:
    """A thread that has nothing to do holds no database connection: there are many threads, and few connections."""
    connections.close_all()


class Desk:
    """The lanes of one process."""

    def __init__(self) -> None:
        self.lanes = {name: Lane(name, most, rest=rest) for name, most in THREADS.items()}
        self._urgent: set[int] = set()
        self._hurry = threading.Condition()

    def take(self, step_ids: Sequence[int]) -> None:
        """Let these steps be run, if they are still due then."""
        columns = ("pk", "name", "args", "upgrade__wave__rollout_id")
        for step_id, name, args, rollout_id in StepRun.objects.filter(pk__in=step_ids).values_list(*columns):
            self._put(step_id, lane_of(name, args), rollout_id)

    def advance(self, rollout_id: int, *, urgent: bool = False) -> None:
        """Ask the engine soon; once for all who asked while it was at work. `urgent` ends the pause before that."""
        if urgent:
            with self._hurry:
                self._urgent.add(rollout_id)
                self._hurry.notify_all()
        job = partial(self._advance, rollout_id)
        self.lanes["engine"].put(rollout_id, job, group=rollout_id, again=True)

    def beside(self, key: tuple[str, int], job: Callable[[], None]) -> None:
        """Work that is no step: a look, an errand."""
        self.lanes["look"].put(key, partial(with_database, job), group=key[0])

    def collect(self, key: tuple[str, int], job: Callable[[], None], *, again: bool = False) -> None:
        """Work of the collector, in a lane of its own: errands that take minutes must not leave a gap in the charts."""
        self.lanes["collect"].put(key, partial(with_database, job), group=key[0], again=again)

    def probe(self, key: tuple[str, int], job: Callable[[], None]) -> None:
        """A round of a probe host, which takes minutes where gateways don't answer."""
        self.lanes["probe"].put(key, partial(with_database, job))

    def post(self, key: tuple[str, int], job: Callable[[], None]) -> None:
        """A message to a person, in a lane of its own: a mail server that hangs must hold nothing else."""
        self.lanes["post"].put(key, partial(with_database, job), group=key[0])

    def stop(self) -> None:
        """Begin nothing more, and give what runs a moment; what does not end then is taken up by its lease."""
        for lane in self.lanes.values():
            lane.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while any(lane.at_work() for lane in self.lanes.values()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def opened(self, steps: Iterable[StepRun]) -> None:
        """Steps that were just opened: this process's own go to a lane, others' are told to them."""
        mine = [step for step in steps if hint.is_mine(step.upgrade.gateway_id)]
        for step in mine:
            self._put(step.pk, lane_of(step.name, step.args), step.upgrade.wave.rollout_id)
        hint.run_steps(step for step in steps if step not in mine)

    def ask_engine(self, rollout_id: int, *, urgent: bool) -> None:
        """One process decides on a rollout: two would undo each other's work, harmlessly and in vain."""
        if hint.is_mine(rollout_id):
            self.advance(rollout_id, urgent=urgent)
        else:
            hint.advance(rollout_id)

    def _put(self, step_id: int, lane: str, rollout_id: int) -> None:
        job = partial(with_database, partial(self._run, step_id, rollout_id, lane))
        self.lanes[lane].put(step_id, job, group=rollout_id)

    def _run(self, step_id: int, rollout_id: int, lane: str) -> None:
        go_on = frozenset() if self.lanes[lane].stopping else CHAINS[lane]
        ended = run.run_chain(step_id, opener=gateways.open, clock=timezone.now, steps=go_on)
        self.opened(ended.opened)
        if ended.ask_engine:
            self.ask_engine(rollout_id, urgent=ended.urgent)

    def _advance(self, rollout_id: int) -> None:
        began = time.monotonic()
        with trail.span("advance", rollout=rollout_id):
            with_database(lambda: self.opened(engine.advance(rollout_id, now=timezone.now())))
        pause = min(PAUSE_TIMES * (time.monotonic() - began), PAUSE_MOST)
        with self._hurry:
            self._hurry.wait_for(lambda: rollout_id in self._urgent, timeout=pause)
            self._urgent.discard(rollout_id)


def with_database(job: Callable[[], None]) -> None:
    """Do a job; a connection that broke in it is not kept for the next one. `rest` closes the others."""
    try:
        job()
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.errors_occurred:
                connection.close()


DESK = Desk()
