"""Complaints of users are a rate that a wave is judged by."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from fleet.metrics.store import insert
from fleet.models import Gateway, Reading, Span, Ticket
from fleet.tickets import rate
from tests.db.fleet.metrics.test_rollup import COLUMNS
from tests.scenes import scene
from upgrader import complaints, gates
from upgrader.gates import Evidence, Side
from upgrader.models import Rollout, StepRun, Upgrade
from upgrader.strategy import Limits
from upgrader.strategy_spec import METRICS

pytestmark = pytest.mark.django_db
LIMITS = Limits(login_success_min=0.98, min_logins=20, restarts_max=0, metrics=METRICS)


@pytest.fixture
def observed() -> tuple[Rollout, Upgrade, StepRun]:
    made = scene("observing")
    upgrade = made.upgrades(1)[0]
    began = timezone.now() - timedelta(minutes=20)
    return made.rollout, upgrade, StepRun(upgrade=upgrade, name="observe", started_at=began)


def served(gateway: Gateway, releases: dict[int, str]) -> None:
    """A hundred users who came to each slot in the last quarter of an hour, and a hundred who were there."""
    now = int(timezone.now().timestamp()) // 60 * 60
    rows = []
    for at in range(now - 600, now, 60):
        for slot, release in releases.items():
            place = {"gateway_id": gateway.pk, "span": 60, "at": at, "slot": slot, "release": release}
            rows.append({**dict.fromkeys(COLUMNS), **place, "seconds": 60, "sessions": 100.0, "arrivals": 10})
    insert(Reading, rows, skip=True)
    Span.objects.update_or_create(seconds=60, defaults={"keep_hours": 72, "rolled_until": now})


def complain(gateway: Gateway, release: str, number: int) -> None:
    now = timezone.now()
    for turn in range(number):
        about = {"gateway": gateway, "release": release, "received_at": now, "reported_by": "noc"}
        Ticket.objects.create(reported_at=now - timedelta(seconds=45 * turn), found=Ticket.Found.SESSION, **about)


def test_complaints_of_the_new_release_point_it_out(observed: tuple[Rollout, Upgrade, StepRun]) -> None:
    rollout, upgrade, step = observed
    new, old = rollout.release.name, upgrade.from_release
    served(upgrade.gateway, {1: old, 2: new})
    complain(upgrade.gateway, new, 20)
    found = complaints.sides(new, [(upgrade, step)])
    both = found["complaints"]
    assert (both.canary.tried, both.canary.failed, both.control.tried, both.control.failed) == (200, 20, 200, 0)
    fine = Evidence(Side(new, tried=100), Side(old, tried=100))
    assert gates.judge(fine, LIMITS).outcome == "pass"
    judged = gates.judge(replace(fine, rates=found), LIMITS)
    assert judged.outcome == "inconclusive"
    assert f"10 % of sessions brought a complaint on {new}" in judged.sentence


def test_nobody_complained_is_no_reading(observed: tuple[Rollout, Upgrade, StepRun]) -> None:
    rollout, upgrade, step = observed
    served(upgrade.gateway, {1: upgrade.from_release, 2: rollout.release.name})
    complain(upgrade.gateway, upgrade.from_release, 3)
    assert complaints.sides(rollout.release.name, [(upgrade, step)]) == {}
    assert complaints.sides(rollout.release.name, []) == {}


def test_complaints_before_the_shift_are_not_its(observed: tuple[Rollout, Upgrade, StepRun]) -> None:
    rollout, upgrade, step = observed
    complain(upgrade.gateway, rollout.release.name, 5)
    step.started_at = timezone.now() + timedelta(seconds=1)
    assert complaints.sides(rollout.release.name, [(upgrade, step)]) == {}


def test_looked_at_again_it_is_what_was_known_at_each_look(observed: tuple[Rollout, Upgrade, StepRun]) -> None:
    rollout, upgrade, step = observed
    new, old = rollout.release.name, upgrade.from_release
    served(upgrade.gateway, {1: old, 2: new})
    complain(upgrade.gateway, new, 4)
    now = timezone.now()
    Ticket.objects.update(received_at=now - timedelta(minutes=2))
    assert step.started_at is not None
    story = complaints.story(new, {old}, [upgrade.gateway_id], (step.started_at, now))
    assert story.at(now - timedelta(minutes=3)) == {}
    both = story.at(now)["complaints"]
    assert (both.canary.tried, both.canary.failed, both.control.tried, both.control.failed) == (200, 4, 200, 0)
    early = story.at(now - timedelta(seconds=90))["complaints"]
    assert early.canary.failed == 2
    assert complaints.story(old, {new}, [upgrade.gateway_id], (step.started_at, now)).at(now) == {}


def test_sessions_of_a_time_that_begins_within_an_hour_are_counted(observed: tuple[Rollout, Upgrade, StepRun]) -> None:
    gateway, now = observed[1].gateway, int(timezone.now().timestamp()) // 60 * 60
    served(gateway, {1: "1.1.6-2"})
    Span.objects.update_or_create(seconds=3600, defaults={"keep_hours": 9600, "rolled_until": now})
    found = rate.by_gateway([gateway.pk], since=now - 330, until=now)
    assert found[gateway.pk, "1.1.6-2"].sessions == 160.0
