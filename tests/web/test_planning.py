"""From the choice to a stored plan."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from guardian.shortcuts import assign_perm

from approvals.models import Actor, User
from releases import configs
from releases.models import ConfigRevision, Release
from tests import factories
from tests.web.conftest import assert_clean
from upgrader.models import Rollout

Browse = Callable[[str], Client]


def choice() -> dict[str, int]:
    factories.fleet()
    return {"release": factories.release().pk, "pool": factories.pool().pk, "strategy": factories.strategy().pk}


def test_plan_is_shown_before_it_is_kept(browse: Browse) -> None:
    page = browse("operator").get("/rollouts/new/", choice(), headers={"HX-Target": "plan", "HX-Request": "true"})
    assert b"4 gateways go to 1.3.0-2 in 2 waves. 74 users are on them now" in page.content
    assert b"fra-gw-01" in page.content
    assert_clean(page)
    assert not Rollout.objects.exists()


def test_keeping_it_leads_to_its_page(browse: Browse) -> None:
    page = browse("operator").post("/rollouts/new/", choice())
    rollout = Rollout.objects.get()
    assert (page.status_code, page.headers["Location"]) == (302, f"/rollouts/{rollout.pk}/")
    assert rollout.created_by.username == "operator"
    assert [wave.upgrades.count() for wave in rollout.waves.all()] == [1, 3]


def revision() -> ConfigRevision:
    """The pool's file as it is, and a quicker one."""
    pool, by = factories.pool(), User.objects.get(username="operator")
    assign_perm("propose_config", by, pool)
    pool.gateways.update(facts={"conf": {"agreed_sha256": configs.digest("dpd = 90\n")}})
    actor, place = Actor(kind="person", name=by.username, user_id=by.pk), configs.Place(pool)
    for text in ("dpd = 90\n", "dpd = 60\n"):
        row = configs.propose(place, text, note="", by=by, actor=actor, now=factories.NOON)
    return row


def test_a_configuration_goes_along(browse: Browse) -> None:
    client, said = browse("operator"), choice()
    row = revision()
    page = client.get("/rollouts/new/", {**said, "config": row.pk})
    assert b"Configuration 2 goes along and changes dpd. It goes into the free slot" in page.content
    assert_clean(page)
    client.post("/rollouts/new/", {**said, "config": row.pk})
    rollout = Rollout.objects.get()
    assert (rollout.config, rollout.plan["config"]["sha256"]) == (row, row.sha256)
    assert b"Choose another." in client.get("/rollouts/new/", {**said, "config": 999}).content


def test_without_the_right_nothing_is_kept(browse: Browse) -> None:
    for who in ("oncall", "auditor", "stranger"):
        assert browse(who).post("/rollouts/new/", choice_once()).status_code in (403, 404, 409)
    assert not Rollout.objects.exists()


def choice_once() -> dict[str, int]:
    pool = factories.pool()
    release = Release.objects.first() or factories.release()
    return {"release": release.pk, "pool": pool.pk, "strategy": factories.strategy().pk}


def test_nothing_to_do_is_said(browse: Browse) -> None:
    said = choice()
    factories.pool().gateways.update(release="1.3.0-2")
    page = browse("operator").post("/rollouts/new/", said)
    assert page.status_code == 409
    assert b"No reachable gateway of eu-west needs 1.3.0-2." in page.content


def test_empty_house_says_what_is_missing(browse: Browse) -> None:
    assert b"There is no release yet." in browse("operator").get("/rollouts/new/").content
    assert b"You may not plan a rollout on any pool." in browse("auditor").get("/rollouts/new/").content


def test_the_newest_that_may_run_is_chosen_and_a_refused_one_says_why(browse: Browse) -> None:
    made = choice()
    factories.release("1.4.0-1", counter=1_004_000, channel="candidate")
    page = browse("operator").get("/rollouts/new/", {"pool": made["pool"]})
    text = " ".join(page.content.decode().split())
    assert f'<option value="{made["release"]}" selected>ocserv 1.3.0-2</option>' in text
    assert "1.4.0-1 is newer and can&#x27;t go to eu-west." in text
    assert "4 gateways go to 1.3.0-2" in text
