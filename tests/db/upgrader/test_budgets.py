"""Budgets against rows: what counts as out, over all rollouts and outages, and who is told to wait for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from pytest_django.fixtures import DjangoAssertNumQueries

from fleet.models import Balancer, Gateway, Pool
from tests import factories
from tests.factories import NOON
from upgrader import budgets
from upgrader.budgets import NoRoom
from upgrader.models import Budget, Rollout, Upgrade
from upgrader.states import S, U

pytestmark = pytest.mark.django_db


@pytest.fixture
def twelve() -> list[Gateway]:
    """Twelve gateways of eu-west with eight users each, of which a quarter may be out."""
    factories.pool()
    made = [Gateway(name=f"gw-{number:02}", pool=factories.pool(), sessions=8) for number in range(1, 13)]
    return Gateway.objects.bulk_create(made)


def rollout(gateways: Sequence[Gateway], **spec: Any) -> Rollout:
    """A rollout of these gateways, in one wave; nothing of it has begun."""
    made = Rollout.objects.create(
        release=factories.release(f"1.3.{Rollout.objects.count()}-1"),
        strategy=factories.strategy(),
        pool=factories.pool(),
        plan={"spec": factories.SPEC | spec, "waves": []},
        digest="0" * 64,
        since=NOON,
        created_by=factories.person("operator"),
        created_at=NOON,
    )
    wave = made.waves.create(number=1, weights=[100], since=NOON)
    Upgrade.objects.bulk_create(Upgrade(wave=wave, gateway=gateway, since=NOON) for gateway in gateways)
    return made


def of(made: Rollout) -> list[Upgrade]:
    return list(Upgrade.objects.filter(wave__rollout=made).order_by("gateway__name"))


def put(upgrades: Sequence[Upgrade], state: U, **columns: Any) -> None:
    for upgrade in upgrades:
        factories.put_upgrade(upgrade, state, **columns)


def demand(upgrades: Sequence[Upgrade]) -> str:
    """The sentence why they may not begin; "" when they may."""
    try:
        with transaction.atomic():
            budgets.demand(upgrades, now=NOON)
    except NoRoom as no:
        return no.say
    return ""


def test_as_many_as_the_budget_says_and_not_one_more(twelve: list[Gateway]) -> None:
    upgrades = of(rollout(twelve))
    assert demand(upgrades[:3]) == ""
    assert demand(upgrades[:4]).startswith("Waits for room: 3 of 12 gateways of the fleet may be out (25 %); 3 are")


def seen_at(balancer: Balancer, *names: str, admin: str, weight: int = 100) -> None:
    """What both peers said of these gateways when they were looked at."""
    server = {"slot": 0, "name": "gw", "admin": admin, "up": True, "weight": weight, "sessions": 3}
    peers = [{"name": f"lb{number}", "version": "2.6", "servers": [server]} for number in (1, 2)]
    Balancer.objects.filter(pk=balancer.pk).update(seen={"gateways": {name: {"peers": peers} for name in names}})


@pytest.mark.parametrize(("admin", "weight"), [("drain", 100), ("maint", 100), ("ready", 0)])
def test_who_is_drained_at_a_balancer_is_out(twelve: list[Gateway], admin: str, weight: int) -> None:
    front = Balancer.objects.create(name="front", pool=factories.pool())
    Gateway.objects.filter(name__in=["gw-11", "gw-12"]).update(front=front)
    upgrades = of(rollout(twelve))
    seen_at(front, "gw-11", "gw-12", admin=admin, weight=weight)
    assert demand(upgrades[:1]) == ""
    assert "gw-11 and gw-12 are drained at their balancers" in demand(upgrades[:2])
    assert demand([*upgrades[:1], upgrades[10]]) == "", "who is out already takes no more room"
    seen_at(front, "gw-11", "gw-12", admin="ready")
    assert demand(upgrades[:3]) == ""


def test_one_that_an_upgrade_drains_is_in_hand_and_counts_once(twelve: list[Gateway]) -> None:
    front = Balancer.objects.create(name="front", pool=factories.pool())
    Gateway.objects.filter(name="gw-01").update(front=front)
    made = rollout(twelve)
    put(of(made)[:1], U.UPGRADING)
    seen_at(front, "gw-01", admin="drain")
    assert demand(of(made)[1:3]) == ""
    assert "3 are in hand by this rollout." in demand(of(made)[1:4])


def test_others_in_hand_and_those_that_do_not_answer_are_named(twelve: list[Gateway]) -> None:
    one, two = rollout(twelve[:6]), rollout(twelve[6:])
    put(of(one)[:2], U.UPGRADING)
    Gateway.objects.filter(name="gw-07").update(state=Gateway.State.UNREACHABLE)
    assert demand(of(two)[1:2]) == (
        "Waits for room: 3 of 12 gateways of the fleet may be out (25 %);"
        f" 2 are in hand by rollout {one.pk}, gw-07 does not answer."
    )


def test_it_says_how_many_of_them_may_begin(twelve: list[Gateway]) -> None:
    with pytest.raises(NoRoom) as caught, transaction.atomic():
        budgets.demand(of(rollout(twelve)), now=NOON)
    assert caught.value.fits == 3


@pytest.mark.parametrize("state", [U.UPGRADING, U.COMMITTING, U.ROLLING_BACK, U.FAILED])
def test_these_are_out(twelve: list[Gateway], state: U) -> None:
    upgrades = of(rollout(twelve))
    put(upgrades[:3], state)
    assert demand(upgrades[3:4]) != ""


@pytest.mark.parametrize("state", [U.READY, U.OBSERVING, U.DRAINING, U.DONE, U.ROLLED_BACK, U.SKIPPED])
def test_these_are_not_out(twelve: list[Gateway], state: U) -> None:
    upgrades = of(rollout(twelve))
    put(upgrades[:3], state)
    assert demand(upgrades[3:6]) == ""


def test_a_gateway_that_only_shifts_serves_with_both_releases(twelve: list[Gateway]) -> None:
    upgrades = of(rollout(twelve))
    put(upgrades[:2], U.UPGRADING)
    put(upgrades[2:3], U.COMMITTING, trial_until=NOON)
    factories.step(upgrades[0], "shift", S.CLAIMED)
    factories.step(upgrades[1], "start", S.CLAIMED)
    assert demand(upgrades[3:5]) == ""
    assert demand(upgrades[3:6]) != ""


def test_what_is_at_work_already_needs_no_room(twelve: list[Gateway]) -> None:
    upgrades = of(rollout(twelve))
    put(upgrades[:9], U.OBSERVING)
    Budget.objects.update(sessions=1)
    assert demand(upgrades[:9]) == ""


def test_sessions_at_risk_count_those_that_are_observed(twelve: list[Gateway]) -> None:
    upgrades = of(rollout(twelve))
    Budget.objects.update(sessions=24)
    put(upgrades[:2], U.OBSERVING)
    assert demand(upgrades[2:3]) == ""
    assert demand(upgrades[2:4]) == (
        "Waits for room: 24 sessions of the fleet may be at risk; 24 are now, and gw-04 has 8."
    )


def test_sessions_are_those_of_now_and_not_of_when_the_row_was_read(twelve: list[Gateway]) -> None:
    upgrades = of(rollout(twelve))
    Budget.objects.update(sessions=10)
    Gateway.objects.update(sessions=11)
    assert "gw-01 has 11" in demand(upgrades[:1])


def test_a_pool_may_have_a_budget_of_its_own(twelve: list[Gateway]) -> None:
    Budget.objects.create(pool=factories.pool(), gateways_percent=10, made_at=NOON)
    upgrades = of(rollout(twelve))
    assert demand(upgrades[:2]) == ""
    assert "2 of 12 gateways of eu-west may be out (10 %)" in demand(upgrades[:3])


def test_gateways_that_left_or_are_only_proposed_are_no_part_of_the_fleet(twelve: list[Gateway]) -> None:
    Gateway.objects.filter(pk__in=[row.pk for row in twelve[8:]]).update(state=Gateway.State.LEFT)
    upgrades = of(rollout(twelve[:8]))
    assert "2 of 8 gateways" in demand(upgrades[:3])


def test_a_rollout_keeps_within_its_own_strategy(twelve: list[Gateway]) -> None:
    made = rollout(twelve[:6], max_out={"gateways": 2, "percent": 20, "sessions": 100})
    assert demand(of(made)[:2]) == ""
    assert f"2 of 6 gateways of rollout {made.pk} may be out" in demand(of(made)[:3])


def test_two_of_a_redundancy_group_are_never_at_work_together(twelve: list[Gateway]) -> None:
    Gateway.objects.filter(name__in=["gw-01", "gw-04"]).update(group="fra")
    one, two = rollout(twelve[:3]), rollout(twelve[3:])
    put(of(one)[:1], U.UPGRADING)
    assert demand(of(two)[:1]) == (
        f"gw-04 waits for gw-01, which is in hand by rollout {one.pk}: both are of the group fra."
    )


def test_without_a_budget_of_the_fleet_nothing_begins(twelve: list[Gateway]) -> None:
    made = rollout(twelve)
    Budget.objects.update(pool=factories.pool(), gateways_percent=100)
    assert demand(of(made)[:1]) == budgets.NONE


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_in_the_transaction_that_begins_the_work() -> None:
    made = rollout([Gateway.objects.create(name="gw-01", pool=factories.pool())])
    with pytest.raises(TransactionManagementError):
        budgets.demand(of(made), now=NOON)


def test_a_batch_costs_as_many_queries_as_one(
    twelve: list[Gateway], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    upgrades = of(rollout(twelve, max_out={"gateways": 12}))
    Budget.objects.update(gateways_percent=99, sessions=10_000)
    Budget.objects.create(pool=Pool.objects.get(), gateways_percent=99, made_at=NOON)
    with django_assert_max_num_queries(9), transaction.atomic(savepoint=False):
        budgets.demand(upgrades, now=NOON)


def planned(*waves: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    """A plan of eu-west with these gateways in its waves."""
    found = [{"number": number, "gateways": wave} for number, wave in enumerate(waves, start=1)]
    return {"pool": factories.pool().name, "spec": factories.SPEC | spec, "waves": found}


def target(number: int, sessions: int = 8, group: str = "") -> dict[str, Any]:
    return {"id": number, "name": f"gw-{number:02}", "sessions": sessions, "group": group}


def test_a_plan_whose_waves_fit_one_after_the_other_fits(twelve: list[Gateway]) -> None:
    Budget.objects.update(gateways_percent=1, sessions=16)
    assert budgets.would_never_fit(planned([target(1), target(2)], [target(3), target(4)])) == ""


def test_a_wave_with_too_many_sessions_would_wait_for_ever(twelve: list[Gateway]) -> None:
    Budget.objects.update(sessions=16)
    assert budgets.would_never_fit(planned([target(1)], [target(2), target(3), target(4)])) == (
        "Wave 2 would put 24 sessions at risk together, and 16 sessions of the fleet may be at risk."
        " Make its waves smaller, or ask for a larger budget."
    )
    own = budgets.would_never_fit(planned([target(1), target(2)], max_out={"sessions": 15}))
    assert "16 sessions at risk together, and 15 sessions of one rollout may be at risk" in own


def test_two_of_a_group_never_shift_together(twelve: list[Gateway]) -> None:
    pair = [target(1, group="a"), target(2, group="a")]
    assert budgets.would_never_fit(planned(pair)) == ""
    say = budgets.would_never_fit(planned(pair, kind="blue_green"))
    assert say.startswith("gw-01 and gw-02 are of the group a and would shift together.")


def test_without_a_budget_no_plan_fits(twelve: list[Gateway]) -> None:
    plan = planned([target(1)])
    Budget.objects.all().delete()
    assert budgets.would_never_fit(plan) == budgets.NONE
