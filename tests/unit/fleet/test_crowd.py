"""Simulated users follow from the seed and the clock, and from nothing else."""

from __future__ import annotations

import json

from fleet.gateways.memory import Faults, MemoryFleet, MemoryGateway
from fleet.gateways.simulated_facts import raw_facts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gateway(clock: Clock, *, seed: int = 7, faults: Faults | None = None) -> MemoryGateway:
    return MemoryFleet(clock=clock, seed=seed).add("gw", release="1.1.6", users=20, mean_seconds=60, faults=faults)


def ids(gateway: MemoryGateway) -> list[str]:
    return sorted(session.id for session in gateway.sessions())


def test_users_come_and_go() -> None:
    clock = Clock()
    one = gateway(clock)
    before = ids(one)
    clock.now += 60
    after = ids(one)
    assert len(before) == 20
    assert 10 < len(after) <= 20
    assert set(after) != set(before)
    assert set(after) & set(before)


def test_how_often_one_looks_makes_no_difference() -> None:
    clock, other = Clock(), Clock()
    often, seldom = gateway(clock), gateway(other)
    for _ in range(300):
        clock.now += 1
        often.metrics()
    other.now += 300
    assert ids(often) == ids(seldom)
    assert [slot.logins for slot in often.metrics()] == [slot.logins for slot in seldom.metrics()]


def test_another_seed_is_another_crowd() -> None:
    assert ids(gateway(Clock(), seed=1)) != ids(gateway(Clock(), seed=2))


def test_without_a_mean_time_nobody_leaves() -> None:
    clock = Clock()
    still = MemoryFleet(clock=clock).add("gw", users=5)
    before = ids(still)
    clock.now += 1_000_000
    assert ids(still) == before


def test_a_quarter_of_the_new_users_goes_to_the_canary() -> None:
    clock = Clock()
    one = gateway(clock)
    one.machine.releases["1.3.0"] = ("0" * 64, "1.3.0")
    one.start("1.3.0", 2, fence=1)
    one.shift({1: 75, 2: 25}, seconds=10_000, fence=1)
    clock.now += 3000
    old, new = (slot.logins for slot in one.metrics())
    assert new > 100
    assert 0.15 < new / (old + new) < 0.35


def test_failing_logins_are_tried_again() -> None:
    clock = Clock()
    one = gateway(clock, faults=Faults(bad_logins_after={"1.1.6": 30}))
    clock.now += 300
    metrics = next(iter(one.metrics()))
    assert metrics.logins == 30
    assert metrics.auth_failures == one.machine.logins_failed > 20


def test_another_process_goes_on_where_the_first_was_killed() -> None:
    clock = Clock()
    first = gateway(clock)
    first.commit(1, fence=4)
    first.machine.releases["1.3.0"] = ("0" * 64, "1.3.0")
    first.start("1.3.0", 2, fence=5)
    first.shift({2: 100}, seconds=60, fence=5)
    kept = json.loads(json.dumps(raw_facts(first.machine, clock.now)))["simulation"]
    second = gateway(clock)
    second.machine.load(kept)
    clock.now += 30
    assert second.facts() == first.facts()
    assert ids(second) == ids(first)
    assert second.effects == first.effects
