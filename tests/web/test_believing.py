"""A gateway that is ahead of this database, by its page: two persons believe it, the old plans for it are closed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from approvals.models import AuditEvent, Request, User
from fleet.models import Gateway
from tests import factories
from tests.web.conftest import assert_clean
from upgrader.models import Rollout, Upgrade
from upgrader.states import R, U

Browse = Callable[[str], Client]
SAY = "It has seen orders up to 157, and this database knows 3: was it restored from a backup?"


@pytest.fixture(autouse=True)
def _rights(people: dict[str, User]) -> None:
    factories.person("operator", ("enrol_gateway",))
    factories.person("oncall", ("approve_gateway",))


@pytest.fixture
def rollout(people: dict[str, User]) -> Rollout:
    """One that observes its first gateways."""
    factories.fleet()
    rollout = factories.draft(people["operator"])
    Upgrade.objects.filter(wave__rollout=rollout, wave__number=1).update(state=U.OBSERVING)
    Rollout.objects.filter(pk=rollout.pk).update(state=R.UPGRADING)
    return rollout


@pytest.fixture
def ahead(rollout: Rollout) -> Gateway:
    """A gateway of the rollout that has heard more than the database knows."""
    gateway = Upgrade.objects.filter(wave__rollout=rollout).select_related("gateway").order_by("pk")[0].gateway
    about = {"state": "quarantined", "state_reason": SAY, "fence": 3}
    Gateway.objects.filter(pk=gateway.pk).update(facts={**(gateway.facts or {}), "fence": 157}, **about)
    gateway.refresh_from_db()
    return gateway


def path(gateway: Gateway) -> str:
    return f"/gateways/{gateway.pk}/believe/"


def asked(browse: Browse, gateway: Gateway) -> Request:
    browse("operator").post(path(gateway), {"why": "Backup of 03:00"})
    return Request.objects.get(kind="gateway.believe")


def test_its_page_says_so_and_asks_a_second_person(browse: Browse, ahead: Gateway) -> None:
    page = browse("operator").get(f"/gateways/{ahead.pk}/")
    assert_clean(page)
    assert "It is ahead of this database" in page.content.decode()
    assert "another host key" not in page.content.decode()
    done = browse("operator").post(path(ahead), {"why": "Backup of 03:00"})
    request = Request.objects.get(kind="gateway.believe")
    assert done.headers["Location"] == f"/changes/{request.pk}/"
    change = browse("oncall").get(f"/changes/{request.pk}/")
    assert_clean(change)
    assert SAY in change.content.decode()
    waiting = browse("operator").get(f"/gateways/{ahead.pk}/").content.decode()
    assert f"Believe {ahead.name}" in waiting


def test_the_yes_closes_the_old_plans_and_is_on_the_record(browse: Browse, rollout: Rollout, ahead: Gateway) -> None:
    request = asked(browse, ahead)
    browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    ahead.refresh_from_db()
    rollout.refresh_from_db()
    assert (ahead.state, ahead.facts_at) == ("enrolled", None)
    assert Upgrade.objects.get(gateway=ahead).state == U.SKIPPED
    assert rollout.state == R.HELD
    event = AuditEvent.objects.get(verb="gateway.released")
    assert event.reason == "Backup of 03:00"


def test_the_same_again_is_the_same_question_and_nothing_after_the_yes(browse: Browse, ahead: Gateway) -> None:
    request = asked(browse, ahead)
    assert asked(browse, ahead) == request
    for _ in range(2):
        browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    assert AuditEvent.objects.filter(verb="gateway.released").count() == 1
    again = browse("operator").post(path(ahead), {"why": "Backup of 03:00"})
    assert again.status_code == 409
    assert "there is nothing to believe" in again.content.decode()


def test_who_may_not_is_refused(browse: Browse, ahead: Gateway) -> None:
    assert browse("operator").get(path(ahead)).status_code == 405
    assert browse("auditor").post(path(ahead), {"why": "x"}).status_code == 409
    assert browse("stranger").post(path(ahead), {"why": "x"}).status_code == 404
    assert browse("operator").post(path(ahead), {"why": " "}).status_code == 409
    assert not Request.objects.filter(kind="gateway.believe").exists()
    assert "Ask to believe" not in browse("auditor").get(f"/gateways/{ahead.pk}/").content.decode()


def test_who_asks_does_not_answer(browse: Browse, ahead: Gateway) -> None:
    factories.person("operator", ("approve_gateway",))
    request = asked(browse, ahead)
    browse("operator").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    ahead.refresh_from_db()
    assert ahead.state == "quarantined"


def test_more_orders_than_were_looked_at_are_asked_anew(browse: Browse, ahead: Gateway) -> None:
    request = asked(browse, ahead)
    Gateway.objects.filter(pk=ahead.pk).update(facts={**ahead.facts, "fence": 200})
    answer = browse("oncall").post(f"/changes/{request.pk}/approve/", {"digest": request.digest})
    assert "has seen more orders since this was asked" in answer.content.decode()
    ahead.refresh_from_db()
    assert ahead.state == "quarantined"
