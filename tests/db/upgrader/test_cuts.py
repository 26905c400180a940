"""Complaints of users whom an upgrade cut, and complaints by wave, gateway and release."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet.models import Ticket
from fleet.tickets import pages
from tests.db.upgrader.test_complaints import complain, served
from tests.scenes import Scene, scene
from upgrader import complaint_pages, cuts
from upgrader.models import Upgrade

pytestmark = pytest.mark.django_db


@pytest.fixture
def cutting() -> tuple[Scene, Upgrade, datetime]:
    """A rollout that cut alice and somebody without a name we know, ten minutes ago."""
    made, at = scene("done"), timezone.now() - timedelta(minutes=10)
    upgrade = made.upgrades(1)[0]
    Upgrade.objects.filter(pk=upgrade.pk).update(cut=[["s1", "alice"], ["s2", "bob"]])
    cut = [["s1", "alice", "198.51.100.7", "10.0.0.7"], ["s2", "bob", "198.51.100.8", "10.0.0.8"]]
    steps = upgrade.steps.create(
        ordinal=90, name="retire", state="done", due_at=at, started_at=at, finished_at=at, result={"cut": cut}
    )
    assert steps.pk
    return made, upgrade, at


def ticket(made: Scene, at: datetime, **more: Any) -> Ticket:
    told = {"pool": made.rollout.pool, "received_at": at, "reported_by": "noc", "reported_at": at, **more}
    return Ticket.objects.create(**told)


def test_who_complains_after_he_was_cut_is_told_apart(cutting: tuple[Scene, Upgrade, datetime]) -> None:
    made, upgrade, at = cutting
    four = timedelta(minutes=4)
    his = [
        ticket(made, at + four, user="Alice"),
        ticket(made, at + four, address="198.51.100.8:5123"),
        ticket(made, at + four, address="10.0.0.7"),
    ]
    others = [
        ticket(made, at + four, user="carol", address="198.51.100.7"),
        ticket(made, at - four, user="alice"),
        ticket(made, at + timedelta(minutes=31), user="alice"),
        ticket(made, at + four),
    ]
    found = cuts.of_tickets([*his, *others])
    assert set(found) == {one.pk for one in his}
    say = f"Cut on {upgrade.gateway.name} 4 min before, by rollout {made.rollout.pk}."
    assert {(one.say, one.link) for one in found.values()} == {(say, f"/rollouts/{made.rollout.pk}/")}
    assert [bool(row["cut"]) for row in pages.shown([*his, *others])] == [True] * 3 + [False] * 4


def test_another_pools_cut_is_not_his(cutting: tuple[Scene, Upgrade, datetime]) -> None:
    made, _, at = cutting
    other = made.rollout.pool.__class__.objects.create(name="elsewhere")
    assert cuts.of_tickets([ticket(made, at, user="alice", pool=other)]) == {}
    assert cuts.of_tickets([ticket(made, at, user="alice", pool=None)])


def test_a_rollout_tells_its_complaints_by_wave_gateway_and_release() -> None:
    made = scene("observing")
    upgrade, user = made.upgrades(1)[0], made.people["operator"]
    new, old = made.rollout.release.name, upgrade.from_release
    began = timezone.now() - timedelta(minutes=20)
    upgrade.steps.update(started_at=began)
    assert complaint_pages.of_rollout(made.rollout, user, timezone.now())["complained"]["waves"] == []
    served(upgrade.gateway, {1: old, 2: new})
    complain(upgrade.gateway, new, 5)
    complain(upgrade.gateway, old, 1)
    told = complaint_pages.of_rollout(made.rollout, user, timezone.now())["complained"]
    ((wave, (line,)),) = told["waves"]
    assert (line.name, line.new.complaints, line.new.sessions, line.old.complaints) == (upgrade.gateway.name, 5, 200, 1)
    assert (wave.name, wave.new, wave.old) == ("Wave 1", line.new, line.old)
    assert told["say"].startswith(
        f"5 complaints under {new}: 25.0 in 1,000 sessions. 1 under what was there before: 5.0"
    )


def test_a_release_tells_in_how_many_rollouts_they_came() -> None:
    made, now = scene("done"), timezone.now()
    user, release = made.people["operator"], made.rollout.release
    assert complaint_pages.of_release(release, user, now)["complaints_say"] == "Nobody complained under it in 90 days."
    upgrades = made.upgrades(1)
    for upgrade in upgrades:
        upgrade.steps.update(started_at=now - timedelta(hours=1))
        complain(upgrade.gateway, release.name, 2)
    Ticket.objects.update(pool=made.rollout.pool)
    early = Ticket.objects.order_by("pk")[0]
    Ticket.objects.filter(pk=early.pk).update(reported_at=now - timedelta(hours=2))
    told = complaint_pages.of_release(release, user, now)
    assert (
        told["complaints_say"] == f"{2 * len(upgrades) - 1} complaint in 1 rollout. 1 complaint more apart from them."
    )
    assert [(row.pk, number) for row, number, _ in told["complaints_in"]] == [(made.rollout.pk, 2 * len(upgrades) - 1)]
