"""Blue-green between two pools behind one balancer: forward, back at once, and whatever comes between."""

from __future__ import annotations

import pytest

from tests.db.upgrader.paired import BLUE, GREEN, Pools
from tests.db.upgrader.world import NEW, OLD, Fleet, make_release
from upgrader.models import StepRun
from upgrader.states import R, U


@pytest.fixture
def pools(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Pools:
    return Pools(fleet, monkeypatch)


def releases(fleet: Fleet, names: tuple[str, ...]) -> list[str]:
    committed = [fleet.machines[name].facts().committed for name in names]
    return [one.release for one in committed if one]


def test_all_new_users_go_to_the_other_pool_and_those_who_are_on_stay(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    assert {row.gateway.name: row.way for row in fleet.upgrades(rollout)} == {
        **dict.fromkeys(BLUE, "outgoing"),
        **dict.fromkeys(GREEN, "incoming"),
    }
    assert rollout.plan["cut"] == 0
    fleet.turn(5)
    assert pools.opened() == list(GREEN)
    assert all(peer.look().trial_until for name in (*BLUE, *GREEN) for peer in pools.of(name))
    fleet.until(rollout, R.DRAINING)
    assert not any(peer.look().trial_until for name in (*BLUE, *GREEN) for peer in pools.of(name))
    assert {row.gateway.name: row.state for row in fleet.upgrades(rollout)} == {
        **dict.fromkeys(BLUE, U.DRAINING),
        **dict.fromkeys(GREEN, U.DONE),
    }
    assert [len(fleet.machines[name].sessions()) for name in BLUE] == [4, 4]
    fleet.sign_out_all()
    fleet.until(rollout, R.DONE)
    assert (releases(fleet, BLUE), releases(fleet, GREEN)) == ([OLD] * 2, [NEW] * 2)
    assert pools.opened() == list(GREEN)


def test_a_rollback_opens_the_old_pool_at_once_and_cuts_nobody(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    newcomers(fleet)
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.work()
    assert pools.opened() == list(BLUE)
    fleet.until(rollout, R.ROLLED_BACK)
    assert [len(fleet.machines[name].sessions()) for name in (*BLUE, *GREEN)] == [4, 4, 1, 1]
    assert releases(fleet, GREEN) == [NEW] * 2, "somebody is on it"
    fleet.sign_out_all()
    fleet.turn(700)
    assert releases(fleet, GREEN) == [OLD] * 2
    assert not fleet.open_steps()


def test_a_fail_goes_back_by_itself(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    for name in GREEN:
        fleet.machines[name].faults.bad_logins_after[NEW] = 0
    fleet.until(rollout, R.ROLLED_BACK)
    assert pools.opened() == list(BLUE)
    assert {row.state for row in fleet.upgrades(rollout)} == {U.ROLLED_BACK}


def test_without_us_the_pool_that_served_is_open_again_before_the_other_closes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = Pools(fleet, monkeypatch, observe_seconds=900)
    rollout = fleet.started()
    fleet.turn(12)
    open_now = [pools.opened()]
    for _ in range(200):
        fleet.seconds += 1
        if pools.opened() != open_now[-1]:
            open_now.append(pools.opened())
    assert open_now[0] == list(GREEN)
    assert open_now[-1] == list(BLUE)
    assert all(set(BLUE) <= set(names) or set(GREEN) <= set(names) for names in open_now)
    fleet.until(rollout, R.ROLLED_BACK)
    assert "by itself, as agreed" in rollout.reason


def test_one_that_can_not_be_opened_sends_all_back(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.due_step("shift")
    for peer in pools.of("gw-4"):
        peer.servers[0].up = False
    fleet.until(rollout, R.ROLLED_BACK)
    assert "finds gw-4 down" in rollout.reason
    assert pools.opened() == list(BLUE)
    assert not StepRun.objects.filter(upgrade__gateway__name__in=BLUE, name="shift").exists()


def test_nothing_of_ours_closes_the_last_one(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    for name in BLUE:
        for peer in pools.of(name):
            peer.answers = False
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.turn(30)
    assert [name for name in pools.opened_now() if name in GREEN], "the other pool can't be opened"
    for peer in pools.peers.values():
        peer.answers = True
    fleet.until(rollout, R.ROLLED_BACK)
    assert pools.opened() == list(BLUE)


def test_after_it_is_done_everybody_can_still_be_sent_back(fleet: Fleet, pools: Pools) -> None:
    rollout = fleet.started()
    fleet.sign_out_all()
    fleet.until(rollout, R.DONE)
    fleet.act("roll_back", rollout, by=fleet.cal)
    fleet.until(rollout, R.ROLLED_BACK)
    assert pools.opened() == list(BLUE)


def test_the_next_one_goes_the_other_way(fleet: Fleet, pools: Pools) -> None:
    fleet.sign_out_all()
    fleet.until(fleet.started(), R.DONE)
    pools.look()
    fleet.pool, fleet.release = pools.blue, make_release("1.5.0-1", "1.5.0", counter=1005000)
    second = fleet.until(fleet.started(), R.DONE)
    assert pools.opened() == list(BLUE)
    assert second.plan["between"]["serves"]["name"] == "green"
    assert (releases(fleet, BLUE), releases(fleet, GREEN)) == (["1.5.0-1"] * 2, [NEW] * 2)


def newcomers(fleet: Fleet) -> None:
    """One on each gateway of green."""
    for number, name in enumerate(GREEN, start=1):
        machine = fleet.machines[name].machine
        session = machine.sign_in(fleet.seconds, id=f"new-{number}", user="nina", remote=f"192.0.2.{number}")
        assert session
        machine.guests[session.id] = session
