"""A complaint noted on a rollout's page, and what the pages of a rollout and a release say of complaints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import AuditEvent
from fleet.models import Ticket
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
FORM = {"text": "It is slow.", "user": "alice", "address": "", "at": ""}


@pytest.fixture
def made() -> Scene:
    return scene("observing")


def path(made: Scene) -> str:
    return f"/rollouts/{made.rollout.pk}/complaint/"


def text(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_it_is_noted_once_with_who(browse: Browse, made: Scene) -> None:
    gateway = made.upgrades(1)[0].gateway
    form = FORM | {"gateway": str(gateway.pk)}
    answer = browse("operator").post(path(made), form)
    assert (answer.status_code, answer["Location"]) == (302, f"/rollouts/{made.rollout.pk}/#complaints")
    ticket = Ticket.objects.get()
    assert (ticket.gateway, ticket.pool, ticket.reported_by) == (gateway, made.rollout.pool, "operator")
    assert AuditEvent.objects.get(verb="ticket.reported").actor == "operator"
    again = browse("operator").post(path(made), form)
    assert (again.status_code, Ticket.objects.count()) == (409, 1)
    assert "This complaint is there already." in text(again)
    assert_clean(again)


def test_without_a_gateway_it_is_looked_for_by_the_user(browse: Browse, made: Scene) -> None:
    assert browse("operator").post(path(made), FORM).status_code == 302
    ticket = Ticket.objects.get()
    assert (ticket.gateway, ticket.pool, ticket.found) == (None, made.rollout.pool, "")
    assert ticket.due_at is not None
    nobody = browse("operator").post(path(made), FORM | {"user": "", "text": "Slow, too."})
    assert (nobody.status_code, "Name the gateway, the user or an address" in text(nobody)) == (409, True)
    assert "Slow, too." in text(nobody)


def test_who_may_not_is_told_and_get_writes_nothing(browse: Browse, made: Scene) -> None:
    refused = browse("auditor").post(path(made), FORM)
    assert (refused.status_code, "needs the right" in text(refused)) == (409, True)
    assert browse("stranger").post(path(made), FORM).status_code == 404
    form = browse("operator").get(path(made))
    assert_clean(form)
    assert made.upgrades(1)[0].gateway.name in text(form)
    elsewhere = browse("operator").post(path(made), FORM | {"gateway": "99999"})
    assert (elsewhere.status_code, "This gateway is not one of the rollout" in text(elsewhere)) == (409, True)
    assert not Ticket.objects.exists()


def test_the_pages_say_how_many_and_under_which_release(browse: Browse, made: Scene) -> None:
    client, rollout = browse("operator"), made.rollout
    page = client.get(f"/rollouts/{rollout.pk}/")
    assert_clean(page)
    assert "Nobody complained on its gateways since its first step." in text(page)
    upgrade, now = made.upgrades(1)[0], timezone.now()
    upgrade.steps.update(started_at=made.now)
    about = {"gateway": upgrade.gateway, "pool": rollout.pool, "received_at": now, "reported_at": now}
    Ticket.objects.create(**about, reported_by="noc", release=rollout.release.name, text="Calls break off.")
    page = client.get(f"/rollouts/{rollout.pk}/")
    assert_clean(page)
    assert f"1 complaint under {rollout.release.name}: no session was counted." in text(page)
    assert "Calls break off." in text(page)
    release = client.get(f"/releases/{rollout.release_id}/")
    assert_clean(release)
    assert "1 complaint in 1 rollout." in text(release)
