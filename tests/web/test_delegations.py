"""Somebody decides in another's place: both are named, and either ends it, once."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from approvals.models import Delegation, User
from tests import factories
from tests.scenes import scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def test_in_anothers_place_both_are_named(browse: Browse, people: dict[str, User]) -> None:
    made, amara = scene("waiting_approval"), factories.person("amara", ("view_pool",))
    form = {"taker": str(amara.pk), "scope": "all", "in_hours": "0", "hours": "8", "why": "On leave."}
    assert browse("oncall").post("/changes/delegations/give/", form).status_code == 302
    for_another = Client()
    for_another.force_login(amara)
    for_another.post(
        f"/rollouts/{made.rollout.pk}/approve/", {"version": str(made.rollout.version), "digest": made.rollout.digest}
    )
    page = browse("operator").get("/changes/delegations/")
    assert_clean(page)
    seen = browse("oncall").get(f"/api/decisions/{made.rollout.pk}/?do=approve").json()
    assert [one["who"] for one in seen["deciding"]["said"]] == ["amara for oncall"]
    given = Delegation.objects.get()
    assert browse("operator").post(f"/changes/delegations/{given.pk}/end/").status_code == 409
    assert browse("oncall").post(f"/changes/delegations/{given.pk}/end/").status_code == 302
    assert browse("oncall").post(f"/changes/delegations/{given.pk}/end/").status_code == 409
