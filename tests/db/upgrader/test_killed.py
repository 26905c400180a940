"""A worker is killed before or after the gateway did what a step asked. It goes on, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fleet.models import Gateway
from fleet.ports import Gateway as Port
from tests.db.upgrader.world import NEW, Fleet
from upgrader import claims, journal, run
from upgrader.flow import AFTER
from upgrader.models import StepRun
from upgrader.states import S

VERB = {
    "preflight": "facts",
    "observe": "metrics",
    "probe": "probe",
    "check": "check",
    **{name: name for name in ("stage", "start", "shift", "commit", "drain", "retire", "restore", "snapshot")},
    "configure": "configure",
    "reload": "reload",
}
# Those of a configuration are asked in test_config.py, those of other ways in test_in_place.py and test_proxy.py.
FORWARD = [*sorted(set(AFTER) - {"restore", "snapshot"}), "observe"]
# One gateway, once each; two shares of new clients are two shifts.
ONCE = {"stage": 1, "start": 1, "shift": 2, "commit": 1, "retire": 1}


class KilledWorker(BaseException):
    """kill -9: no except clause of ours sees it, no row is written after it."""


class Killer:
    """Hands out gateways that kill the worker once, around the first call of one verb."""

    def __init__(self, fleet: Fleet, verb: str, *, after: bool) -> None:
        self.fleet, self.verb, self.after, self.left = fleet, verb, after, 1

    def open(self, row: Gateway) -> Port:
        killer, gateway = self, self.fleet.machines[row.name]

        class Wrapped:
            def __getattr__(self, name: str) -> Any:
                return killer.deadly(gateway, name) if name == killer.verb else getattr(gateway, name)

        return Wrapped()

    def deadly(self, gateway: Any, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.left == 0:
                return getattr(gateway, name)(*args, **kwargs)
            self.left -= 1
            if self.after:
                getattr(gateway, name)(*args, **kwargs)
            raise KilledWorker

        return call


def arm(fleet: Fleet, step: str, *, after: bool, monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Kill the worker in the middle of `step`; the test's loop is the supervisor that starts the next one."""
    killer = Killer(fleet, VERB[step], after=after)
    usual = run.run_chain

    def run_chain(step_id: int, **kwargs: Any) -> run.Ended:
        name = StepRun.objects.values_list("name", flat=True).get(pk=step_id)
        if name == step:
            kwargs["opener"] = killer.open
        try:
            return usual(step_id, **kwargs)
        except KilledWorker:
            return run.Ended()

    monkeypatch.setattr(run, "run_chain", run_chain)
    return killer


def small(fleet: Fleet) -> Counter[str]:
    """One gateway is enough; its effects are what is counted."""
    for name in list(fleet.machines)[1:]:
        Gateway.objects.get(name=name).delete()
    return fleet.machines["gw-1"].machine.effects


@pytest.mark.parametrize("after", [False, True], ids=["before-effect", "after-effect"])
@pytest.mark.parametrize("step", FORWARD)
def test_forward(fleet: Fleet, step: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    effects = small(fleet)
    killer = arm(fleet, step, after=after, monkeypatch=monkeypatch)
    rollout = fleet.until(fleet.started(), "draining", seconds=400)
    fleet.sign_out_all()
    fleet.until(rollout, "done", seconds=400)
    assert killer.left == 0
    assert {verb: effects[verb] for verb in ONCE} == ONCE
    assert fleet.machines["gw-1"].machine.cut == []
    assert all(step_run.state in (S.DONE, S.DROPPED) for step_run in fleet.upgrades(rollout)[0].steps.all())


@pytest.mark.parametrize("after", [False, True], ids=["before-effect", "after-effect"])
@pytest.mark.parametrize("step", ["restore", "snapshot"])
def test_back(fleet: Fleet, step: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    effects = small(fleet)
    fleet.machines["gw-1"].faults.bad_logins_after[NEW] = 2
    killer = arm(fleet, step, after=after, monkeypatch=monkeypatch)
    fleet.until(fleet.started(), "rolled_back", seconds=400)
    assert killer.left == 0
    assert effects["restore"] == 1


def test_a_worker_that_was_thought_dead_comes_too_late(fleet: Fleet) -> None:
    """Its claim ran out and another one did the work: what it reports is dropped, what it asks is refused."""
    small(fleet)
    rollout = fleet.started()
    claimed = claims.claim(fleet.open_steps()[0].pk, owner="frozen:1", now=fleet.now())
    assert claimed is not None
    fleet.seconds += 120
    fleet.turn(5)
    with pytest.raises(journal.LostRace):
        claims.settle(claimed, claims.Settled(S.DONE, result={"say": "late"}), now=fleet.now())
    with pytest.raises(Exception, match="older than"):
        fleet.machines["gw-1"].commit(2, fence=claimed.fence)
    fleet.until(rollout, "draining", seconds=400)
