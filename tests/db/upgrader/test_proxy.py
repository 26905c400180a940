"""Behind balancers that choose the slot: shares, trials, the way back, all at the balancers and the gateway alike."""

from __future__ import annotations

import pytest

from tests.db.upgrader.fronts import ONE_WAVE, Front, strategy
from tests.db.upgrader.world import Fleet
from upgrader.states import R, U

SHARES = [{**ONE_WAVE["waves"][0], "weights": [25, 100]}]


@pytest.fixture
def front(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Front:
    strategy(fleet, waves=SHARES, at_once=3)
    return Front(fleet, monkeypatch, servers={"1": "gw-1", "2": "gw-2"})


def test_shares_are_trials_at_the_balancers_until_the_commit(fleet: Fleet, front: Front) -> None:
    fleet.watch_for(20)
    rollout = fleet.started()
    fleet.turn(10)
    assert {upgrade.way for upgrade in fleet.upgrades(rollout)} == {"proxy"}
    assert front.weights("gw-1") == [{1: 75, 2: 25}] * 2
    assert all(peer.look().trial_until for peer in front.of("gw-1"))
    fleet.until(rollout, R.DRAINING)
    assert front.weights("gw-1") == [{1: 0, 2: 100}] * 2
    assert not any(peer.look().trial_until for peer in front.of("gw-1"))
    fleet.sign_out_all()
    fleet.until(rollout, R.DONE)
    assert {upgrade.state for upgrade in fleet.upgrades(rollout)} == {U.DONE}


def test_a_balancer_that_starts_anew_gets_the_share_again(fleet: Fleet, front: Front) -> None:
    fleet.watch_for(20)
    fleet.started()
    fleet.turn(10)
    front.of("gw-1")[1].restart()
    fleet.turn(3)
    assert front.weights("gw-1") == [{1: 75, 2: 25}] * 2


def test_a_rollback_sends_new_users_back_and_forgets_strangers(fleet: Fleet, front: Front) -> None:
    rollout = fleet.started()
    fleet.turn(10)
    front.of("gw-1")[0].servers[2].stuck = {"192.0.2.9"}
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    assert front.weights("gw-1") == [{1: 100, 2: 0}] * 2
    assert front.of("gw-1")[0].servers[2].stuck == set()


def test_without_us_the_balancers_go_back_too(fleet: Fleet, front: Front) -> None:
    fleet.started()
    fleet.turn(10)
    fleet.seconds += 120  # nobody works: longer than the trial
    assert front.weights("gw-1") == [{1: 100, 2: 0}] * 2


def test_a_balancer_that_opened_the_free_slot_is_closed_before_it_starts(fleet: Fleet, front: Front) -> None:
    for peer in front.of("gw-1"):
        peer.servers[2].weight = 50
    rollout = fleet.started()
    fleet.until_step(rollout, "probe")
    assert front.weights("gw-1") == [{1: 100, 2: 0}] * 2
