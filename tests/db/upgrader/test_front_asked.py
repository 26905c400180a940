"""A drain at the balancer whose time is over: people are asked, as for an old slot, and nobody is cut before."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from approvals.errors import Refused
from approvals.models import AuditEvent, Request
from fleet.models import Alert
from tests.db.upgrader.fronts import Front, strategy, without_nft
from tests.db.upgrader.test_drain_asked import act, decide
from tests.db.upgrader.world import NEW, Fleet
from upgrader import selectors, services
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.states import R, U
from upgrader.why import why


@pytest.fixture
def front(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Front:
    without_nft(fleet)
    strategy(fleet, drain={"deadline_hours": 1}, at_once=1)
    return Front(fleet, monkeypatch, servers={"": "gw"})


def late(fleet: Fleet) -> Rollout:
    """One gateway is kept from new users for an hour, and its four users are on it still."""
    rollout = fleet.started()
    fleet.turn(5)
    fleet.seconds += 3600
    fleet.turn(3)
    rollout.refresh_from_db()
    return rollout


def waiting(fleet: Fleet, rollout: Rollout) -> Upgrade:
    return next(one for one in fleet.upgrades(rollout) if one.state == U.UPGRADING)


def test_it_waits_and_asks_on_call(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    upgrade = waiting(fleet, rollout)
    step = StepRun.objects.get(upgrade=upgrade, name="drain_front")
    assert (rollout.state, step.state) == (R.UPGRADING, "due")
    assert "Its time is over: a person says whether it goes on or they are cut." in step.result["say"]
    assert len(step.result["users"]) == 4
    assert Alert.objects.get(kind="drain", ended_at=None).subject == f"rollout:{rollout.pk}"
    assert rollout in selectors.needs_me(fleet.ola, now=fleet.now())
    said = why(selectors.picture(rollout, fleet.ola, now=fleet.now()), fleet.now()).text
    assert "The time of 1 slot with 4 users ended at 04:00" in said
    assert len(fleet.machines[upgrade.gateway.name].sessions()) == 4


def test_the_yes_of_another_cuts_that_many_and_it_goes_on(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    upgrade = waiting(fleet, rollout)
    act(fleet, "ask_cut", rollout)
    cuts = Request.objects.get(kind="drain.cut").summary["cuts"]
    assert [(cut["name"], cut["users"]) for cut in cuts] == [(upgrade.gateway.name, 4)]
    decide(fleet, rollout, by=fleet.cal)
    event = AuditEvent.objects.get(verb="drain.cut_agreed")
    assert (event.actor, event.reason) == ("cal", "4 users may be cut on 1 gateway.")
    fleet.turn(5)
    upgrade.refresh_from_db()
    assert (len(upgrade.cut), upgrade.drain_until) == (4, None)
    committed = fleet.machines[upgrade.gateway.name].machine.slots
    assert NEW in {slot.release for slot in committed.values()}


def test_more_users_than_that_and_nobody_is_cut(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    Upgrade.objects.filter(pk=waiting(fleet, rollout).pk).update(cut_at_most=0)
    decide(fleet, rollout, by=fleet.cal)
    upgrade = waiting(fleet, rollout)
    Upgrade.objects.filter(pk=upgrade.pk).update(cut_at_most=3)
    fleet.turn(5)
    assert len(fleet.machines[upgrade.gateway.name].sessions()) == 4


def test_a_no_leaves_them_where_they_are(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    decide(fleet, rollout, by=fleet.cal, yes=False)
    fleet.turn(5)
    assert waiting(fleet, rollout).cut_at_most == 0
    act(fleet, "ask_cut", rollout)


def test_one_person_gives_it_more_hours(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    upgrade = waiting(fleet, rollout)
    Upgrade.objects.filter(pk=upgrade.pk).update(cut_at_most=3)
    act(fleet, "extend", rollout, hours=2)
    upgrade.refresh_from_db()
    assert (upgrade.drain_until, upgrade.cut_at_most) == (fleet.now() + timedelta(hours=2), 0)  # 0: the plan's number
    event = AuditEvent.objects.get(verb="drain.extended")
    assert (event.actor, json.loads(event.body)["details"]["gateways"]) == ("ola", [upgrade.gateway.name])
    with pytest.raises(Refused, match="No drain of this rollout is over its time"):
        act(fleet, "extend", rollout, hours=2)
    fleet.turn(3)
    assert not Alert.objects.filter(kind="drain", ended_at=None).exists()


def test_the_strategy_may_extend_once_before_it_asks(fleet: Fleet, front: Front) -> None:
    strategy(fleet, drain={"deadline_hours": 1, "at_deadline": "extend", "extend_hours": 2}, at_once=1)
    rollout = late(fleet)
    upgrade = waiting(fleet, rollout)
    assert (upgrade.drain_extended, upgrade.drain_until) != (0, None)
    assert upgrade.drain_until is not None
    assert upgrade.drain_until > fleet.now() + timedelta(minutes=110)


def test_the_strategy_may_cut_the_number_of_the_plan(fleet: Fleet, front: Front) -> None:
    strategy(fleet, drain={"deadline_hours": 1, "at_deadline": "cut", "cut_at_most": 4}, at_once=1)
    rollout = late(fleet)
    fleet.turn(5)
    assert [len(upgrade.cut) for upgrade in fleet.upgrades(rollout) if upgrade.cut] == [4]


@pytest.mark.parametrize(("action", "said"), [("extend", {"hours": 2}), ("ask_cut", {})])
def test_refused_without_the_right(fleet: Fleet, front: Front, action: str, said: dict[str, int]) -> None:
    with pytest.raises(Refused, match="You may not .* on eu-west"):
        act(fleet, action, late(fleet), by=fleet.ada, **said)


def test_before_its_time_there_is_nothing_to_ask(fleet: Fleet, front: Front) -> None:
    rollout = fleet.started()
    fleet.turn(5)
    with pytest.raises(Refused, match="No drain of this rollout is over its time with users on it"):
        act(fleet, "ask_cut", rollout)


def test_a_rollback_meanwhile_leaves_nothing_to_agree_to(fleet: Fleet, front: Front) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    fleet.act("roll_back", rollout)
    request = Request.objects.get(kind="drain.cut")
    with pytest.raises(Refused):
        services.decide_cut(
            rollout, yes=True, reason="", digest=request.digest, actor=fleet.who(fleet.cal), now=fleet.now()
        )
