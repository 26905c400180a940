"""What pages say of a switch between two pools: before it is kept, before it is approved, and while it is watched."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests import sights_between
from tests.web.conftest import assert_clean
from upgrader.models import Rollout

pytestmark = pytest.mark.django_db
Browse = Callable[[str], Client]


def test_the_plan_shows_both_pools_and_what_happens_in_order(browse: Browse) -> None:
    rollout = Rollout.objects.get(pk=sights_between.switch())
    page = browse("operator").get(f"/rollouts/{rollout.pk}/")
    text = page.content.decode()
    for words in (
        "From lyon-blue to lyon-green",
        "2 gateways, 79 users",
        "idle now; gets 1.3.7-1",
        "lyon/vpn sends new users to lyon-green at the same moment",
        "79 users on lyon-blue stay there until they leave. Nobody is cut.",
        "0 <span>of 2 gateways, 0 failed</span>",
        "new users are sent back there at once",
    ):
        assert words in text, words
    assert "Old slots" not in text
    assert_clean(page)


def test_what_would_be_planned_says_the_same(browse: Browse) -> None:
    rollout = Rollout.objects.get(pk=sights_between.switch())
    asked = {"release": rollout.release_id, "pool": rollout.pool_id, "strategy": rollout.strategy_id}
    page = browse("operator").get("/rollouts/new/", asked)
    assert b"2 gateways of lyon-green get 1.3.7-1 while nobody is sent there." in page.content
    asked["pool"] = rollout.plan["between"]["serves"]["id"]
    page = browse("operator").get("/rollouts/new/", asked)
    assert b"lyon-blue is not the idle pool: lyo-gw-01 and lyo-gw-02 take new users." in page.content


def test_while_it_is_watched_each_gateway_says_whether_new_users_come(browse: Browse) -> None:
    page = browse("oncall").get(f"/rollouts/{sights_between.switched()}/")
    text = page.content.decode()
    assert "New users go to nice-green with 1.3.8-1; 79 users on nice-blue stay there until they leave." in text
    assert text.count("nice-blue: no new users are sent here") == 2
    assert text.count("nice-green: new users → 1.3.8-1") == 2
    assert_clean(page)
