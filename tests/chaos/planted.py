"""Bugs that are planted on purpose: what finds nothing must be shown that it can find something."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.db import transaction

from approvals import audit
from approvals.chain import leaf
from fleet import orders
from fleet.gateways.machine import Machine
from fleet.gateways.simulated import MemoryGateway
from tests.chaos.town import Town
from upgrader import bounds, budgets, claims, decide, engine, run
from upgrader.journal import LostRace
from upgrader.models import Freeze, Rollout
from upgrader.states import R
from upgrader.steps import front

Plant = Callable[[Town], AbstractContextManager[object]]


@contextmanager
def cuts(town: Town) -> Iterator[None]:
    """A gateway ends somebody's session when it commits."""
    commit = MemoryGateway.commit

    def careless(self: MemoryGateway, slot: int, *, fence: int) -> bool:
        for chair in self.machine.crowd.chairs:
            if chair.session is not None:
                self.machine.cut.append(chair.session)
                chair.session = None
        return commit(self, slot, fence=fence)

    with mock.patch.object(MemoryGateway, "commit", careless):
        yield


@contextmanager
def forgets(town: Town) -> Iterator[None]:
    """A gateway says that it has committed, and has not."""
    with mock.patch.object(MemoryGateway, "commit", return_value=False):
        yield


@contextmanager
def runs_more(town: Town) -> Iterator[None]:
    """A gateway starts what nobody asked for."""
    facts = MemoryGateway.facts

    def eager(self: MemoryGateway) -> Any:
        self.machine.releases["9.9.9-1"] = ("9" * 64, "9.9.9")
        if not self.machine.slots[3].running:
            self.machine.launch(self.machine.slots[3], "9.9.9-1", self.world.clock())
        return facts(self)

    with mock.patch.object(MemoryGateway, "facts", eager):
        yield


@contextmanager
def any_fence(town: Town) -> Iterator[None]:
    """Fences go down, and gateways take what comes."""
    falling = itertools.count(1_000_000, -1)

    def admit(self: Machine, fence: int) -> None:
        self.fence = fence

    with (
        mock.patch.object(Machine, "admit", admit),
        mock.patch.object(orders, "draw", side_effect=lambda *_, **__: next(falling)),
    ):
        yield


@contextmanager
def stays_claimed(town: Town) -> Iterator[None]:
    """A lease that does not end, and a worker that dies with it."""

    def for_ever(step: str, now: datetime) -> datetime:
        return now + timedelta(days=3650)

    settle, left = claims.settle, iter([True])

    def dies(*args: Any, **kwargs: Any) -> Any:
        if next(left, False):
            raise LostRace("it never came back")
        return settle(*args, **kwargs)

    with mock.patch.object(claims, "lease", for_ever), mock.patch.object(claims, "settle", dies):
        yield


@contextmanager
def false_record(town: Town) -> Iterator[None]:
    """An event whose hash is another's."""
    with mock.patch.object(audit, "leaf", lambda body: leaf(f"{body} ") if "rollout.moved" in body else leaf(body)):
        yield


@contextmanager
def jumps(town: Town) -> Iterator[None]:
    """Somebody writes a state beside the journal."""
    tick = engine.tick

    def hasty(**also: Any) -> Any:
        Rollout.objects.filter(state=R.UPGRADING).update(state=R.DONE)
        return tick(**also)

    with mock.patch.object(engine, "tick", hasty):
        yield


@contextmanager
def no_budget(town: Town) -> Iterator[None]:
    """Nobody asks whether there is room."""
    town.budget(1)
    with mock.patch.object(budgets, "demand", return_value=None), mock.patch.object(town, "budget"):
        yield


@contextmanager
def no_bounds(town: Town) -> Iterator[None]:
    """Nobody asks whether it is frozen, and it is."""
    by, at = town.people["cal"], town.true_now() - timedelta(minutes=5)
    Freeze.objects.create(reason="feast", starts_at=at, ends_at=None, made_by=by, made_at=at)
    with mock.patch.object(bounds.Bounds, "why_not", return_value=None):
        yield


@contextmanager
def stray_balancer(town: Town) -> Iterator[None]:
    """A commit that forgets the balancers."""
    with mock.patch.object(front, "send_to", return_value=None):
        yield


@contextmanager
def slow_transaction(town: Town) -> Iterator[None]:
    """A gateway is asked while the database is locked."""
    attempt = run.attempt

    def inside(*args: Any, **kwargs: Any) -> Any:
        with transaction.atomic():
            return attempt(*args, **kwargs)

    with mock.patch.object(run, "attempt", inside):
        yield


@contextmanager
def sleeps(town: Town) -> Iterator[None]:
    """The engine never moves again once old slots drain."""

    def lazy(seen: Any) -> Any:
        return None if seen.state is R.DRAINING else decide.decide(seen)

    with mock.patch.object(engine, "decide", lazy):
        yield


PLANTS: dict[str, Plant] = {
    "": lambda town: nullcontext(),
    **{
        plant.__name__: plant
        for plant in (
            cuts,
            forgets,
            runs_more,
            any_fence,
            stays_claimed,
            false_record,
            jumps,
            no_budget,
            no_bounds,
            stray_balancer,
            slow_transaction,
            sleeps,
        )  # fmt: skip
    },
}
