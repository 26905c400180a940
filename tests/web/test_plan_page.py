"""What a plan's page says before anybody approves it, and what it says when the pool changed since."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from fleet.models import Gateway
from tests import factories
from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader.models import Budget, Rollout, Strategy, Upgrade

Browse = Callable[[str], Client]


def choice() -> dict[str, int]:
    factories.fleet()
    return {"release": factories.release().pk, "pool": factories.pool().pk, "strategy": factories.strategy().pk}


def test_the_plan_says_each_wave_its_reason_its_time_and_its_rules(browse: Browse) -> None:
    page = browse("operator").get("/rollouts/new/", choice())
    text = page.content.decode()
    for words in (
        "1 gateway, 4 users",
        "Fewest users first (12 to 31 users a gateway); failure domains take turns.",
        "ends 20 min 34 s after the start",
        "Times are the usual ones: nothing was measured in this pool yet.",
        "Takes back the wave in hand by itself",
        "people are asked, and nobody is cut before",
    ):
        assert words in text
    assert_clean(page)


def test_the_one_who_approves_sees_the_whole_plan(browse: Browse) -> None:
    rollout = scene("waiting_approval").rollout
    for path in (f"/rollouts/{rollout.pk}/", f"/decisions/{rollout.pk}/"):
        page = browse("oncall").get(path)
        assert b"Rules of this plan" in page.content
        assert b"Fewest users first" in page.content
        assert_clean(page)


def test_the_page_says_who_joined_and_offers_a_draft_for_them(browse: Browse) -> None:
    rollout, client = scene("waiting_approval").rollout, browse("operator")
    assert b"The pool changed" not in client.get(f"/rollouts/{rollout.pk}/").content
    factories.gateway("par-gw-01", on=rollout.pool)
    page = client.get(f"/rollouts/{rollout.pk}/")
    assert b"par-gw-01 needs it too" in page.content
    assert f"without={rollout.pk}".encode() in page.content
    said = {"release": rollout.release_id, "pool": rollout.pool_id, "strategy": rollout.strategy_id}
    shown = client.get("/rollouts/new/", {**said, "without": rollout.pk})
    assert b"1 gateway go to" in shown.content.replace(b"goes", b"go")
    client.post("/rollouts/new/", {**said, "without": rollout.pk})
    made = Rollout.objects.exclude(pk=rollout.pk).get()
    assert list(Upgrade.objects.filter(wave__rollout=made).values_list("gateway__name", flat=True)) == ["par-gw-01"]


def test_a_name_that_the_pool_lacks_is_refused_by_its_name(browse: Browse) -> None:
    said = choice()
    Strategy.objects.update(spec={"waves": [{"names": ["fra-gw-99"]}, {"rest": True}]})
    page = browse("operator").post("/rollouts/new/", said)
    assert page.status_code == 409
    assert b"names fra-gw-99, and the pool has no such gateway." in page.content
    assert not Rollout.objects.exists()


def test_a_plan_that_could_never_fit_is_refused_at_once(browse: Browse) -> None:
    said = choice()
    Budget.objects.update(sessions=3)
    page = browse("operator").post("/rollouts/new/", said)
    assert page.status_code == 409
    assert not Rollout.objects.exists()


def test_a_retired_strategy_is_refused_from_an_old_page(browse: Browse) -> None:
    said = choice()
    Strategy.objects.update(retired_at=factories.NOON)
    page = browse("operator").post("/rollouts/new/", said)
    assert page.status_code == 409
    assert b"is retired. Choose another." in page.content
    assert not Rollout.objects.exists()


def test_what_was_measured_here_before_is_what_is_expected(browse: Browse) -> None:
    made = scene("done")
    Gateway.objects.update(release="1.1.6-2")
    for upgrade in Upgrade.objects.all():
        for name in ("preflight", "stage", "check", "start", "probe", "shift", "commit"):
            factories.step(upgrade, name)
    said = {"release": made.rollout.release_id, "pool": made.rollout.pool_id, "strategy": made.rollout.strategy_id}
    page = browse("operator").get("/rollouts/new/", said)
    assert b"Times as measured in this pool: medians of its last 4 upgrades." in page.content
