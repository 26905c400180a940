"""When there is no switch between two pools: each reason by its sentence, and who may not ask or agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from guardian.shortcuts import remove_perm

from approvals.errors import Refused
from fleet.models import Balancer, Gateway, Pool
from tests.db.upgrader.paired import Pools
from tests.db.upgrader.world import Fleet
from upgrader import budgets, services
from upgrader.models import Budget, Freeze, Strategy, Upgrade
from upgrader.states import R


@pytest.fixture
def pools(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Pools:
    return Pools(fleet, monkeypatch)


def update(name: str, **columns: object) -> None:
    Gateway.objects.filter(name=name).update(**columns)


def another_pool(pools: Pools) -> None:
    pools.fleet.pool = Pool.objects.create(name="other", channel=pools.green.channel)
    update("gw-4", pool=pools.fleet.pool)
    pools.fleet.ola = pools.fleet.person("otto", "submit_rollout")


def no_such_pool(pools: Pools) -> None:
    row = pools.fleet.strategy
    Strategy.objects.filter(pk=row.pk).update(spec={**row.spec, "between": ["red", "green"]})
    row.refresh_from_db()


def behind_none(_: Pools) -> None:
    update("gw-2", front=None, servers={})


def behind_another(pools: Pools) -> None:
    update("gw-4", front=Balancer.objects.create(name="back", pool=pools.green))


def by_slots(_: Pools) -> None:
    update("gw-3", servers={"1": "gw-3-1", "2": "gw-3-2"})


def weight(pools: Pools, name: str, number: int) -> None:
    for peer in pools.of(name):
        peer.servers[0].weight = number
    pools.look()


def green_serves_too(pools: Pools) -> None:
    weight(pools, "gw-3", 100)


def blue_is_half_shut(pools: Pools) -> None:
    weight(pools, "gw-2", 0)


def blue_has_another_weight(pools: Pools) -> None:
    weight(pools, "gw-1", 50)


def nobody_has_looked(_: Pools) -> None:
    Balancer.objects.update(seen={})


def blue_does_not_answer(_: Pools) -> None:
    update("gw-1", state=Gateway.State.UNREACHABLE)


def green_is_empty(_: Pools) -> None:
    Gateway.objects.filter(name__in=["gw-1", "gw-2"]).update(state=Gateway.State.LEFT)


REFUSED: list[tuple[Callable[[Pools], None], str]] = [
    (another_pool, "switches between blue and green, and other is neither"),
    (no_such_pool, "there is no pool red"),
    (behind_none, "gw-2 stands behind no balancer"),
    (behind_another, "stand behind back/vpn and front/vpn"),
    (by_slots, "gw-3 can switch between slots of its own"),
    (green_serves_too, "green is not the idle pool: gw-3 takes new users. Plan this for blue"),
    (blue_is_half_shut, "gw-2 of blue takes no new users"),
    (blue_has_another_weight, "gw-1 has another weight than 100"),
    (nobody_has_looked, "has not said yet how gw-3, gw-4, gw-1 and gw-2 stand there"),
    (blue_does_not_answer, "gw-1 of blue can't be asked now"),
    (green_is_empty, "The pool blue has no gateway"),
]


@pytest.mark.parametrize(("spoil", "says"), REFUSED, ids=[spoil.__name__ for spoil, _ in REFUSED])
def test_a_draft_is_refused_with_the_reason(pools: Pools, spoil: Callable[[Pools], None], says: str) -> None:
    spoil(pools)
    with pytest.raises(Refused) as refused:
        pools.fleet.draft()
    assert says in refused.value.say, refused.value.say


def test_who_may_not_move_the_users_of_both_pools_neither_asks_nor_agrees(pools: Pools) -> None:
    fleet = pools.fleet
    rollout = fleet.draft()
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()
    remove_perm("approve_rollout", fleet.cal, pools.blue)
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": rollout.digest, "now": fleet.now()}
    with pytest.raises(Refused, match="You may not approve on blue"):
        services.decide(rollout, actor=fleet.who(fleet.cal), **said)
    remove_perm("submit_rollout", fleet.ola, pools.blue)
    with pytest.raises(Refused, match="You may not submit on blue"):
        fleet.draft()


def test_a_yes_of_one_who_lost_his_right_on_the_other_pool_is_none(pools: Pools) -> None:
    rollout = pools.fleet.started()
    remove_perm("approve_rollout", pools.fleet.cal, pools.blue)
    pools.fleet.until(rollout, R.HELD, seconds=60)
    assert pools.opened() == ["gw-1", "gw-2"]


def test_a_freeze_of_either_pool_holds_it_before_anything_begins(pools: Pools) -> None:
    fleet = pools.fleet
    Freeze.objects.create(
        pool=pools.blue, reason="audit", starts_at=fleet.now(), made_by=fleet.cal, made_at=fleet.now()
    )
    rollout = fleet.started()
    fleet.turn(3)
    rollout.refresh_from_db()
    assert "blue is frozen" in rollout.waits
    assert not Upgrade.objects.exclude(state="planned").exists()


def test_an_idle_pool_takes_no_room_of_the_budget(pools: Pools) -> None:
    Budget.objects.filter(pool=None).update(gateways_percent=1, sessions=0)
    assert budgets.used()[None].out == 0
    rollout = pools.fleet.started()
    pools.fleet.turn(5)
    assert budgets.used()[None].out == 0
    assert pools.opened() == ["gw-3", "gw-4"]
    pools.fleet.act("roll_back", rollout, by=pools.fleet.cal)
    pools.fleet.until(rollout, R.ROLLED_BACK)
    pools.look()
    assert budgets.used()[None].out == 0


def test_one_that_left_its_pool_is_left_out(pools: Pools) -> None:
    rollout = pools.fleet.draft()
    update("gw-2", pool=pools.green)
    services.submit(rollout, actor=pools.fleet.who(pools.fleet.ola), seen_version=0, now=pools.fleet.now())
    rollout.refresh_from_db()
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": rollout.digest, "now": pools.fleet.now()}
    services.decide(rollout, actor=pools.fleet.who(pools.fleet.cal), **said)
    pools.fleet.turn(3)
    row = pools.rows(rollout)["gw-2"]
    assert (row.state, row.reason) == ("skipped", "gw-2 left the pool blue before its turn.")
