"""Every page of a rollout in every state, for everybody who may look."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from tests.scenes import SCENES, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


@pytest.mark.parametrize("who", ["operator", "oncall", "auditor"])
@pytest.mark.parametrize("name", SCENES)
def test_pages_of_a_rollout(browse: Browse, name: str, who: str) -> None:
    rollout = scene(name).rollout
    client = browse(who)
    for path in ("/", "/rollouts/", f"/rollouts/{rollout.pk}/", f"/decisions/{rollout.pk}/"):
        page = client.get(path)
        assert page.status_code == 200
        assert_clean(page)
        assert "eu-west" in page.content.decode()
        assert rollout.state not in ("waiting_approval", "rolled_back") or rollout.state not in page.content.decode()


@pytest.mark.parametrize("name", SCENES)
def test_json_of_a_rollout(browse: Browse, name: str) -> None:
    rollout = scene(name).rollout
    said = browse("oncall").get(f"/api/rollouts/{rollout.pk}/").json()
    assert said["state"] == rollout.state
    assert said["why"].endswith((".", ". "))
    assert len(said["upgrades"]) == 4
    assert {offer["action"] for offer in said["offers"] if offer["enabled"]} <= {
        *("approve", "reject", "promote", "hold", "resume", "roll_back", "abort"),
        *("agree_back", "refuse_back", "agree_cut", "refuse_cut", "extend", "ask_cut"),
    }


@pytest.mark.parametrize("name", SCENES)
def test_chart_of_a_rollout(browse: Browse, name: str) -> None:
    rollout = scene(name).rollout
    chart = browse("auditor").get(f"/rollouts/{rollout.pk}/chart/?wave=1").json()
    probed = name not in ("planned", "waiting_approval", "upgrading", "stuck", "rejected")
    assert chart["empty"] is not probed
    assert [line["meta"]["tone"] for line in chart["figure"]["data"]] == ["control", "canary"]
    assert_clean(browse("auditor").get(f"/rollouts/{rollout.pk}/numbers/?wave=1"))
