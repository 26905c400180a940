"""One person does alone what needs two; in another's place; ahead of time; and who is told meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from approvals import breakglass, delegation
from approvals.errors import Refused
from approvals.models import Actor, AuditEvent, BreakGlass, Delegation, User
from fleet import orders
from fleet.alarms import about
from fleet.models import Alert
from tests.db.upgrader.world import Fleet
from upgrader import calls, glass, hint, selectors, services
from upgrader.models import Rollout
from upgrader.states import R

WHY = "The old release lets nobody in."


@pytest.fixture
def fleet(db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """One gateway, and one transaction for all: nothing here waits for a commit."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)
    orders.forget()  # another test's gateway had the same id
    return Fleet(gateways=1)


def submitted(fleet: Fleet, **also: Any) -> Rollout:
    wanted: dict[str, Any] = {"release": fleet.release, "pool": fleet.pool, "strategy": fleet.strategy}
    rollout = services.draft(**wanted, by=fleet.ola, now=fleet.now(), **also)
    services.submit(rollout, actor=fleet.who(fleet.ola), seen_version=0, now=fleet.now())
    rollout.refresh_from_db()
    return rollout


def breaker(fleet: Fleet) -> tuple[User, Actor]:
    """Who asks, may approve and may break the glass, with a passkey in his hand."""
    fleet.ola.user_permissions.add(Permission.objects.get(codename="break_glass"))
    assign_perm("approve_rollout", fleet.ola, fleet.pool)
    return fleet.ola, replace(fleet.who(fleet.ola), strength="passkey")


def alone(fleet: Fleet, rollout: Rollout, actor: Actor, **said: Any) -> None:
    words = {"reason": WHY, "digest": rollout.digest} | said
    glass.break_glass(rollout, "start", actor=actor, now=fleet.now(), **words)
    rollout.refresh_from_db()


def test_one_person_starts_it_and_another_reviews_it(fleet: Fleet) -> None:
    rollout = submitted(fleet)
    ola, actor = breaker(fleet)
    alone(fleet, rollout, actor)
    assert rollout.state == R.UPGRADING
    assert AuditEvent.objects.filter(verb="approval.approved").count() == 0
    event = AuditEvent.objects.get(verb="glass.broken")
    assert (event.actor, event.reason) == ("ola", WHY)
    calls.note(now=fleet.now())
    alert = Alert.objects.get(kind="glass", ended_at=None)
    assert about.is_critical(alert)
    row = BreakGlass.objects.get()
    with pytest.raises(Refused, match="somebody else reviews it"):
        breakglass.review(row, found="all fine", by=ola, actor=actor, now=fleet.now())
    assert breakglass.waiting_for(fleet.cal) == [row]
    breakglass.review(row, found="It was one.", by=fleet.cal, actor=fleet.who(fleet.cal), now=fleet.now())
    with pytest.raises(Refused, match="reviewed this already"):
        breakglass.review(row, found="Again.", by=fleet.cal, actor=fleet.who(fleet.cal), now=fleet.now())
    calls.note(now=fleet.now())
    assert not Alert.objects.filter(kind="glass", ended_at=None).exists()


@pytest.mark.parametrize(
    ("said", "strength", "say"),
    [
        ({"reason": " "}, "passkey", "Say why this can't wait"),
        ({}, "password", "takes a fresh passkey or second factor"),
        ({"digest": "b" * 64}, "passkey", "What you were shown is not what is asked now"),
    ],
)
def test_it_takes_a_reason_a_proof_and_what_is_asked_now(
    fleet: Fleet, said: dict[str, str], strength: str, say: str
) -> None:
    rollout = submitted(fleet)
    _, actor = breaker(fleet)
    with pytest.raises(Refused, match=say):
        alone(fleet, rollout, replace(actor, strength=strength), **said)
    assert not BreakGlass.objects.exists()
    assert Rollout.objects.get().state == R.WAITING_APPROVAL


def test_without_the_right_and_after_a_no_it_is_refused(fleet: Fleet) -> None:
    rollout = submitted(fleet)
    strong = replace(fleet.who(fleet.cal), strength="passkey")
    with pytest.raises(Refused, match="it takes the right"):
        alone(fleet, rollout, strong)
    _, actor = breaker(fleet)
    services.decide(rollout, yes=False, reason="no", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    with pytest.raises(Refused, match="cal rejected this 0 s ago."):
        alone(fleet, rollout, actor)


def test_a_late_review_lets_nothing_more_begin(fleet: Fleet) -> None:
    rollout = submitted(fleet, start_at=fleet.now() + timedelta(hours=25))
    _, actor = breaker(fleet)
    alone(fleet, rollout, actor)
    fleet.work()
    fleet.seconds += 25 * 3600
    fleet.until(rollout, R.HELD)
    assert "the review was due" in rollout.reason
    assert "The review was due" in Alert.objects.get(kind="glass", ended_at=None).say


def test_it_begins_at_the_time_that_was_asked_for(fleet: Fleet) -> None:
    start = fleet.now() + timedelta(days=2)
    rollout = submitted(fleet, start_at=start)
    assert rollout.request is not None
    assert rollout.request.expires_at == start
    fleet.seconds += 30 * 3600  # a question without a start would have ended
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.turn(2)
    rollout.refresh_from_db()
    assert "It starts at" in rollout.waits
    assert not fleet.open_steps()
    fleet.seconds = start.timestamp()
    fleet.work()
    assert fleet.upgrades(rollout)[0].state != "planned"


def delegated(fleet: Fleet, giver: User, taker: User) -> Delegation:
    years = {"begins_at": datetime(2020, 1, 1, tzinfo=UTC), "ends_at": datetime(2099, 1, 1, tzinfo=UTC)}
    return Delegation.objects.create(giver=giver, taker=taker, reason="On leave.", made_at=fleet.now(), **years)


def test_li_decides_for_amara_until_she_takes_it_back(fleet: Fleet) -> None:
    given, rollout = delegated(fleet, fleet.cal, fleet.ada), submitted(fleet)
    assert list(selectors.needs_me(fleet.ada, now=fleet.now())) == [rollout]
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": rollout.digest, "now": fleet.now()}
    services.decide(rollout, actor=fleet.who(fleet.ada), **said)
    event = AuditEvent.objects.get(verb="approval.approved")
    assert '"for":"cal"' in event.body
    with pytest.raises(Refused, match="ada for cal approved this 0 s ago"):
        services.decide(rollout, actor=fleet.who(fleet.cal), **said)
    delegation.end(given, by=fleet.cal, actor=fleet.who(fleet.cal), now=fleet.now())
    fleet.until(rollout, R.HELD)
    assert "ada for cal approved this, but has lost the right" in rollout.reason


def test_nobody_decides_for_who_asked(fleet: Fleet) -> None:
    delegated(fleet, fleet.ola, fleet.ada)
    assign_perm("approve_rollout", fleet.ola, fleet.pool)
    rollout = submitted(fleet)
    said: dict[str, Any] = {"yes": True, "reason": "", "digest": rollout.digest, "now": fleet.now()}
    with pytest.raises(Refused, match="You decide for ola, who asked for this"):
        services.decide(rollout, actor=fleet.who(fleet.ada), **said)


def test_who_has_not_decided_is_reminded_then_the_next(fleet: Fleet) -> None:
    rollout = submitted(fleet)
    told: list[tuple[int, bool]] = []
    for minutes in (29, 30, 60):
        calls.note(now=fleet.later(60 * minutes))
        open_calls = Alert.objects.filter(kind="approval", ended_at=None)
        told += [(minutes, about.is_critical(alert)) for alert in open_calls]
    assert told == [(30, False), (60, True)]
    assert Alert.objects.get(kind="approval").link == f"/decisions/{rollout.pk}/"
    services.decide(rollout, yes=True, reason="", digest=rollout.digest, actor=fleet.who(fleet.cal), now=fleet.now())
    calls.note(now=fleet.now())
    assert not Alert.objects.filter(kind="approval", ended_at=None).exists()
