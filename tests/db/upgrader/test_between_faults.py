"""Whatever happens at whatever moment, somebody takes new users on every balancer, and nobody is cut."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping

import pytest

from approvals.errors import Refused
from fleet.errors import RetryLater
from fleet.traffic.memory import MemoryPeer
from fleet.traffic.ports import Peer, Slot, Want
from tests.db.upgrader.fronts import NAMES
from tests.db.upgrader.paired import BLUE, GREEN, Pools
from tests.db.upgrader.world import Fleet
from upgrader import engine, run
from upgrader.models import Rollout
from upgrader.states import R


class Killed(BaseException):
    """The worker ends here, as by kill -9."""


class Faults:
    """Each question to a balancer may get no answer, or be the last thing that its worker does."""

    def __init__(self, pools: Pools, seed: int) -> None:
        self.pools, self.dice, self.on = pools, random.Random(seed), True
        for peer in pools.peers.values():
            self._wrap(peer)

    def _wrap(self, peer: MemoryPeer) -> None:
        look, put = peer.look, peer.set

        def looked() -> Peer:
            self.strike(peer.name, 0.03)
            return look()

        def was_set(wants: Mapping[Slot, Want], *, seconds: int, fence: int) -> None:
            self.strike(peer.name, 0.06)
            put(wants, seconds=seconds, fence=fence)
            self.strike(peer.name, 0.06)

        peer.look, peer.set = looked, was_set  # type: ignore[method-assign]  # between the steps and the balancer

    def strike(self, name: str, share: float) -> None:
        if not self.on or self.dice.random() > share:
            return
        raise RetryLater(f"{name} does not answer.", code="unreachable") if self.dice.random() < 0.5 else Killed

    def work(self, fleet: Fleet) -> None:
        for step_id in engine.tick(now=fleet.now()):
            with contextlib.suppress(Killed):
                run.run_step(step_id, opener=fleet.opener, clock=fleet.now)
            self.check()

    def check(self) -> None:
        """What holds after each step, and each second."""
        for peer in self.pools.peers.values():
            peer._awake()
        for name in NAMES:
            assert any(self.pools.is_open(name=gateway, peer=name) for gateway in (*BLUE, *GREEN)), f"{name} is shut"
        assert [len(self.pools.fleet.machines[name].sessions()) for name in BLUE] == [4, 4], "somebody was cut"


def person(fleet: Fleet, rollout: Rollout, action: str) -> None:
    with contextlib.suppress(Refused):
        fleet.act(action, rollout, by=fleet.cal)


@pytest.mark.parametrize("seed", [3, 5, 7])
def test_somebody_is_always_open_and_it_ends_on_one_side(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    pools = Pools(fleet, monkeypatch, observe_seconds=12)
    rollout, faults = fleet.started(), Faults(pools, seed)
    for _ in range(50):
        faults.work(fleet)
        if faults.dice.random() < 0.06:
            person(fleet, rollout, faults.dice.choice(("hold", "resume", "roll_back")))
        for _ in range(faults.dice.choice((1, 1, 1, 1, 2, 5, 70))):
            fleet.seconds += 1
            faults.check()
    faults.on = False
    person(fleet, rollout, "roll_back")
    for _ in range(150):
        faults.work(fleet)
        rollout.refresh_from_db()
        if rollout.state in (R.ROLLED_BACK, R.REJECTED):
            break
        if rollout.state == R.FAILED:
            person(fleet, rollout, "roll_back")
        fleet.seconds += 1
    assert (rollout.state, pools.opened()) == (R.ROLLED_BACK, list(BLUE)), rollout.reason
