"""What calls a person is an alert as long as it does, with the page on which it is decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from approvals.models import Actor, AuditEvent
from fleet import alerts
from fleet.models import Alert, Balancer, Gateway
from tests import factories as f
from tests.scenes import Scene, scene
from upgrader import calls, drains, engine, services
from upgrader.decide.stops import PERSON
from upgrader.models import Budget, Freeze, Rollout, Strategy
from upgrader.states import R, U

pytestmark = pytest.mark.django_db


def called(kind: str) -> list[Alert]:
    calls.note(now=timezone.now())
    return list(Alert.objects.filter(kind=kind, ended_at=None))


def verbs() -> list[str]:
    return list(AuditEvent.objects.filter(verb__startswith="alert.").order_by("seq").values_list("verb", flat=True))


def test_a_rollback_that_waits_for_a_second_person() -> None:
    made = scene("back_asked")
    (alert,) = called("rollback")
    assert alert.link == f"/decisions/{made.rollout.pk}/?do=agree-back"
    assert alert.pool == made.rollout.pool
    assert alert.say == "operator asks to take 4 gateways back. Logins hang on the new release."
    answer(made, yes=False)
    assert called("rollback") == []
    assert verbs() == ["alert.raised", "alert.settled"]


def answer(made: Scene, *, yes: bool) -> None:
    request = made.rollout.back_request
    assert request is not None
    who = made.actor("oncall")
    services.decide_back(made.rollout, yes=yes, reason="No.", digest=request.digest, actor=who, now=made.now)


def test_it_calls_once_for_the_same() -> None:
    scene("back_asked")
    assert [calls.note(now=timezone.now()) for _ in range(3)] == [1, 0, 0]
    assert verbs() == ["alert.raised"]


def test_a_drain_that_is_over_its_time() -> None:
    made = scene("late")
    (alert,) = called("drain")
    assert alert.link == f"/decisions/{made.rollout.pk}/?do=extend"
    assert alert.say.startswith("The time to drain ams-gw-01 and ams-gw-02 is over.")
    who, seen = made.actor("operator"), made.rollout.version
    drains.ask_cut(made.rollout, actor=who, seen_version=seen, reason="Power goes.", now=made.now)
    (alert,) = called("drain")
    assert alert.link == f"/decisions/{made.rollout.pk}/?do=agree-cut"
    assert verbs() == ["alert.raised", "alert.repeated"]
    drains.extend(made.rollout, actor=who, seen_version=seen, reason="", now=made.now, hours=2)
    assert called("drain") == []


def test_a_drain_whose_strategy_goes_on_by_itself_is_given_a_moment() -> None:
    made = scene("late")
    rows = made.upgrades(2)
    for upgrade in rows:
        f.put_upgrade(upgrade, U.DRAINING, at=made.now, drain_until=made.now)
    assert called("drain") != []
    Strategy.objects.update(spec={"drain": {"at_deadline": "extend", "extend_hours": 1}})
    assert called("drain") == []
    calls.note(now=made.now + timedelta(seconds=31))
    assert Alert.objects.filter(kind="drain", ended_at=None).count() == 1


@pytest.mark.parametrize(("state", "reason"), [(R.HELD, f"It fails. {PERSON}"), (R.FAILED, "fra-gw-01 is stuck.")])
def test_a_hold_that_only_a_person_ends(state: R, reason: str) -> None:
    made = scene("held")
    assert called("hold") == []  # held by a person
    f.put(made.rollout, state, reason, at=made.now)
    (alert,) = called("hold")
    assert (alert.say, alert.link) == (reason, f"/decisions/{made.rollout.pk}/?do=roll-back")


def test_an_emergency_that_passes_a_freeze() -> None:
    made = scene("observing")
    who, at = made.people["operator"], made.now - timedelta(hours=1)
    freeze = Freeze.objects.create(reason="Quarter end.", starts_at=at, made_at=at, made_by=who)
    plan = made.rollout.plan | {"passes": [freeze.pk], "spec": made.rollout.plan["spec"] | {"emergency": True}}
    Rollout.objects.filter(pk=made.rollout.pk).update(plan=plan)
    Strategy.objects.update(spec={"emergency": True})
    (alert,) = called("freeze")
    assert "through the freeze of eu-west: Quarter end. Approved by oncall." in alert.say
    Freeze.objects.update(lifted_at=made.now)
    assert called("freeze") == []


def test_outages_that_use_up_a_budget() -> None:
    scene("planned")
    Budget.objects.update_or_create(pool=None, defaults={"gateways_percent": 25, "made_at": timezone.now()})
    down = Gateway.objects.filter(name__in=["fra-gw-01", "ams-gw-01"])
    down.filter(name="fra-gw-01").update(state=Gateway.State.UNREACHABLE)
    assert called("budget") == []  # equal is allowed
    down.update(state=Gateway.State.UNREACHABLE)
    (alert,) = called("budget")
    assert alert.say.startswith("2 gateways are out, and 1 of 4 gateways of the fleet may be out (25 %): ams-gw-01 and")
    assert (alert.link, alert.gateway) == ("/bounds/", Gateway.objects.get(name="ams-gw-01"))


def test_the_tick_calls_and_its_fault_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = scene("back_asked")
    engine.tick(now=made.now)
    assert Alert.objects.filter(kind="rollback", ended_at=None).count() == 1
    monkeypatch.setattr(alerts, "settle", lambda *_, **__: 1 / 0)
    assert isinstance(engine.tick(now=made.now), list)


def test_a_call_may_be_ended_once_only() -> None:
    scene("back_asked")
    (alert,) = called("rollback")
    who, now = Actor.machine("controller"), timezone.now()
    with transaction.atomic():
        assert [alerts.end(alert, why="because", actor=who, now=now) for _ in range(2)] == [True, False]


def test_peers_of_a_balancer_that_disagree() -> None:
    made = scene("observing")
    differ = {"gateways": {"gw-1": {"differences": ["gw-1: lb-1 says ready with weight 100, lb-2 says drain."]}}}
    Balancer.objects.create(name="front", pool=made.rollout.pool, seen=differ)
    (alert,) = called("peers")
    assert (alert.link, alert.pool) == ("/balancers/", made.rollout.pool)
    assert alert.say.startswith("Its peers disagree. gw-1: lb-1 says ready with weight 100, lb-2 says drain.")
    Balancer.objects.update(seen={"gateways": {"gw-1": {"differences": []}}})
    assert called("peers") == []
