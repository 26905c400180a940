"""The shipped strategies, each once from its first gateway to its last on real gateways; nobody notices any of it."""

from __future__ import annotations

import pytest

from tests.db.upgrader.world import NEW, OLD
from tests.gateway.ocgate import guests
from tests.gateway.ocgate.test_message import comes_back, shown
from tests.gateway.strategies.world import Crowd, Site, newcomer, stranger
from upgrader import together
from upgrader.models import StepRun

THIRD = "1.5.0-1"


def test_blue_green_goes_and_comes_back_together(site: Site, users: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than it takes a busy machine to ask three gateways, so that what is asked of time here holds on any.
    monkeypatch.setattr(together, "LEAD_SECONDS", 6.0)
    site.take()
    site.shipped("blue-green", observe_seconds=600)
    rollout = site.started()
    due = site.until_all_due(rollout, "shift")
    assert len(due) == 3, "nobody shifts before the last is ready"
    assert {(slots[1], slots[2][1]) for slots in site.slots()} == {(("serving", OLD), NEW)}
    assert site.weights() == [{1: 100}] * 3
    site.work_on([step.pk for step in due])
    assert_together(site.steps(rollout, "shift"))
    assert site.weights() == [{2: 100}] * 3
    assert [stranger(site.lab, gateway, 230 + at) for at, gateway in enumerate(site.lab.gateways)] == [2] * 3
    users.assert_unhurt()
    site.act("roll_back", rollout)
    assert len({step.due_at for step in site.steps(rollout, "restore")}) == 1, "all are sent back in one move"
    site.go(rollout, "rolled_back")
    assert site.weights() == [{1: 100}] * 3
    assert [up.kept for up in site.in_order(rollout)] == [2] * 3
    users.assert_unhurt()


def assert_together(shifts: list[StepRun]) -> None:
    """One moment for all, nobody was asked after another had shifted, and nobody shifted before the moment."""
    (moment,) = {step.args["at"] for step in shifts}
    asked = [step.result["asked_at"] for step in shifts]
    assert max(asked) < moment
    assert max(asked) < min(step.result["applied_at"] for step in shifts)
    assert all(step.result["answered_at"] >= moment for step in shifts)


def test_the_careful_canary(site: Site, users: Crowd) -> None:
    site.take()
    strategy = site.shipped("careful-canary", max_out={"percent": 34})
    assert strategy.spec["waves"][0]["weights"] == [5, 25, 50, 100]
    rollout = site.carry(site.started(), "draining")
    first, *others = site.in_order(rollout)
    shares = [step.args["weight"] for step in first.steps.filter(name="shift").order_by("ordinal")]
    assert shares == [5, 25, 50, 100]
    assert [up.steps.filter(name="shift").count() for up in others] == [1, 1]
    assert site.weights() == [{2: 100}] * 3
    assert [up.kept for up in site.in_order(rollout)] == [2] * 3
    users.assert_unhurt()


def test_rolling_with_a_message_to_those_who_stay(site: Site, users: Crowd) -> None:
    site.take()
    drain = {"deadline_hours": 24, "at_deadline": "ask", "message": "Please sign in again before 18:00."}
    site.shipped("rolling", max_out={"gateways": 1}, at_once=1, drain=drain)
    _, stays = newcomer(site.lab, site.lab.gateways[0], 234)
    rollout = site.carry(site.started(), "draining")
    assert [wave.upgrades.count() for wave in rollout.waves.all()] == [1, 1, 1]
    ends = [up.steps.get(name="commit").finished_at for up in site.in_order(rollout)]
    begins = [up.steps.get(name="preflight").started_at for up in site.in_order(rollout)]
    assert all(begin > end for begin, end in zip(begins[1:], ends, strict=False) if begin and end)
    site.work_until(
        lambda: all(step.result.get("told") for step in site.steps(rollout, "drain")), what="The message everywhere"
    )
    comes_back(stays)
    assert shown(stays) == ["Please sign in again before 18:00."]
    users.assert_unhurt()


def test_an_emergency_does_not_wait_for_the_second_slot(site: Site, users: Crowd) -> None:
    site.take()
    site.shipped("rolling", observe_seconds=0, failures_max=0, at_once=3, max_out={})
    earlier = site.carry(site.started(), "draining")
    slot, second = newcomer(site.lab, site.lab.gateways[0], 236)
    assert slot == 2
    site.take(THIRD)
    strategy = site.shipped("emergency-patch")
    assert strategy.spec["emergency"]
    patch = site.carry(site.started(), "draining")
    assert site.fresh(earlier).state == "draining"
    assert [(up.from_slot, up.to_slot) for up in site.in_order(patch)] == [(2, 3)] * 3
    assert [stranger(site.lab, gateway, 238 + at) for at, gateway in enumerate(site.lab.gateways)] == [3] * 3
    assert site.slots()[0] == {1: ("draining", OLD), 2: ("draining", NEW), 3: ("serving", THIRD)}
    assert guests.answers(second, site.lab.gateways[0].at.inside)
    users.assert_unhurt()
