"""A drain whose time is over: more hours by one person, or users cut by two, by their number."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from guardian.shortcuts import remove_perm

from approvals import services as approvals
from approvals.errors import Refused
from approvals.models import AuditEvent, Request, User
from tests.db.upgrader.test_abort import draining
from tests.db.upgrader.world import Fleet
from upgrader import hint, selectors, services
from upgrader.models import Rollout, StepRun, Upgrade


def late(fleet: Fleet) -> Rollout:
    """Three gateways with four users each on their old slots, whose time is over."""
    rollout = draining(fleet)
    fleet.turn(3)
    Upgrade.objects.filter(wave__rollout=rollout).update(drain_until=fleet.now())
    return rollout


def act(fleet: Fleet, action: str, rollout: Rollout, *, by: User | None = None, **said: Any) -> None:
    rollout.refresh_from_db()
    words = {"reason": "the site closes"} | said
    seen, who = rollout.version, fleet.who(by or fleet.ola)
    getattr(services, action)(rollout, actor=who, seen_version=seen, now=fleet.now(), **words)


def decide(fleet: Fleet, rollout: Rollout, *, by: User, yes: bool = True) -> None:
    digest = Request.objects.filter(kind="drain.cut").latest("pk").digest
    services.decide_cut(rollout, yes=yes, reason="seen it", digest=digest, actor=fleet.who(by), now=fleet.now())


def test_one_person_gives_it_more_hours(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "extend", rollout, hours=4)
    until = fleet.now() + timedelta(hours=4)
    assert {(up.drain_until, up.drain_extended) for up in fleet.upgrades(rollout)} == {(until, 1)}
    event = AuditEvent.objects.get(verb="drain.extended")
    assert (event.actor, event.reason) == ("ola", "the site closes")
    with pytest.raises(Refused, match="No drain of this rollout is over its time"):
        act(fleet, "extend", rollout, hours=4)


@pytest.mark.parametrize("hours", [0, 169, None])
def test_hours_have_bounds(fleet: Fleet, hours: int | None) -> None:
    with pytest.raises(Refused, match="from 1 to 168"):
        act(fleet, "extend", late(fleet), hours=hours)


def test_asking_to_cut_cuts_nobody(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    request = Request.objects.get(kind="drain.cut")
    assert request.summary["users"] == 12
    assert [(cut["name"], cut["users"]) for cut in request.summary["cuts"]] == [("gw-1", 4), ("gw-2", 4), ("gw-3", 4)]
    fleet.turn(3)
    assert all(gateway.machine.cut == [] for gateway in fleet.machines.values())


def test_the_yes_of_another_binds_the_number_and_starts_at_once(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout, hinted = late(fleet), []
    act(fleet, "ask_cut", rollout)
    monkeypatch.setattr(hint, "send", lambda task, ids, queue: hinted.extend(ids))
    decide(fleet, rollout, by=fleet.cal)
    assert {up.cut_at_most for up in fleet.upgrades(rollout)} == {4}
    due = StepRun.objects.filter(name="drain", state="due", due_at__lte=fleet.now())
    assert due.count() == 3
    assert {step.pk for step in due} <= set(hinted)
    assert AuditEvent.objects.get(verb="drain.cut_agreed").actor == "cal"


def test_a_no_cuts_nobody_and_it_may_be_asked_again(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    decide(fleet, rollout, by=fleet.cal, yes=False)
    assert {up.cut_at_most for up in fleet.upgrades(rollout)} == {0}
    act(fleet, "ask_cut", rollout)
    assert Request.objects.filter(kind="drain.cut", state="open").count() == 1


def test_who_asked_does_not_agree_and_who_lost_the_right_counts_no_more(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout, by=fleet.cal)
    with pytest.raises(Refused, match="You asked for this yourself"):
        decide(fleet, rollout, by=fleet.cal)
    remove_perm("hold_rollout", fleet.cal, fleet.pool)
    from_another = fleet.person("eve", "approve_rollout")
    with pytest.raises(Refused, match="cal asked for this and may not hold any more"):
        decide(fleet, rollout, by=from_another)


def test_a_question_that_expired_is_open_again(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    assert rollout not in selectors.needs_me(fleet.ola, now=fleet.now())
    assert rollout in selectors.needs_me(fleet.cal, now=fleet.now())
    fleet.seconds += 3 * 3600
    approvals.expire(now=fleet.now())
    assert rollout in selectors.needs_me(fleet.ola, now=fleet.now())
    with pytest.raises(Refused, match="expired"):
        decide(fleet, rollout, by=fleet.cal)
    act(fleet, "ask_cut", rollout)
    decide(fleet, rollout, by=fleet.cal)


def test_twice_from_two_browsers(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    decide(fleet, rollout, by=fleet.cal)
    with pytest.raises(Refused, match="cal approved this"):
        decide(fleet, rollout, by=fleet.person("eve", "approve_rollout"))


def test_a_drain_that_was_extended_meanwhile_is_not_cut(fleet: Fleet) -> None:
    rollout = late(fleet)
    act(fleet, "ask_cut", rollout)
    act(fleet, "extend", rollout, hours=2)
    with pytest.raises(Refused, match="void"):
        decide(fleet, rollout, by=fleet.cal)


@pytest.mark.parametrize(("action", "said"), [("extend", {"hours": 2}), ("ask_cut", {})])
def test_refused_without_the_right(fleet: Fleet, action: str, said: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="You may not .* on eu-west"):
        act(fleet, action, late(fleet), by=fleet.ada, **said)
