"""The charts of a rollout and of a pool: who sees them, what they hold, what comes since, and the same as a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from fleet.alarms import rule_store
from fleet.models import Pool
from tests.scenes import scene
from tests.sights_measured import POOL, measured, measured_more
from tests.web.conftest import assert_clean
from upgrader.models import Rollout

Browse = Callable[[str], Client]


@pytest.fixture
def rollout() -> Rollout:
    return Rollout.objects.get(pk=measured())


def told(client: Client, path: str) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def last(figure: dict[str, Any], name: str, axis: str) -> float | None:
    trace = next(one for one in figure["data"] if one.get("name") == name and one["yaxis"] == axis)
    value: float | None = trace["y"][-1]
    return value


def limit() -> float:
    """The shipped rule's on logins that fail."""
    rules = rule_store.standing().rules.values()
    return min(rule.threshold for rule in rules if rule.metric == "login_failures" and rule.above)


def test_a_wave_shows_new_against_old(browse: Browse, rollout: Rollout) -> None:
    found = told(browse("oncall"), f"/rollouts/{rollout.pk}/readings/?wave=1")
    figure = found["figure"]
    assert {one["name"] for one in figure["data"] if one.get("showlegend")} == {"1.3.0-2 (new)", "1.1.6-2 (old)"}
    assert [note["text"] for note in figure["layout"]["annotations"] if note["name"] == "mark"] == ["25 %", "100 %"]
    assert any(one["meta"]["tone"] == "limit" and any(one["y"]) for one in figure["data"])
    assert not found["empty"]
    assert max(len(times) for times in figure["times"]) <= 600


def test_what_came_since_is_all_that_is_sent(browse: Browse, rollout: Rollout) -> None:
    path = f"/rollouts/{rollout.pk}/readings/?wave=1"
    whole = told(browse("oncall"), path)
    after = max(whole["figure"]["times"][0])
    at = measured_more()
    since = told(browse("oncall"), f"{path}&after={after}&step={whole['step']}")
    assert 0 < len(since["figure"]["times"][0]) < 10
    assert since["figure"]["times"][0][-1] == 1000 * (at - at % whole["step"])
    assert last(since["figure"], "1.3.0-2 (new)", "y6") == 91.0
    assert told(browse("oncall"), f"{path}&after={after}&step=7")["from"] is None, "its points would not fit"


def test_a_rollback_is_marked(browse: Browse, rollout: Rollout) -> None:
    back = scene("rolled_back", on="undone").rollout
    found = told(browse("oncall"), f"/rollouts/{back.pk}/readings/?wave=1")
    notes = [(note["text"], note["name"]) for note in found["figure"]["layout"]["annotations"]]
    assert ("rolled back", "limit") in notes
    assert found["empty"]


def test_a_pool_shows_its_releases(browse: Browse, rollout: Rollout) -> None:
    pool = Pool.objects.get(name=POOL)
    page = browse("operator").get(f"/pools/{pool.pk}/")
    assert_clean(page)
    assert f"/pools/{pool.pk}/readings/?hours=1".encode() in page.content
    found = told(browse("operator"), f"/pools/{pool.pk}/readings/?hours=1")
    assert {one["name"] for one in found["figure"]["data"] if one.get("showlegend")} == {"1.3.0-2", "1.1.6-2"}
    assert "1.3.0-2 wave 1" in [note["text"] for note in found["figure"]["layout"]["annotations"]]


@pytest.mark.parametrize("place", ["rollouts", "pools"])
def test_the_table_says_the_same(browse: Browse, rollout: Rollout, place: str) -> None:
    measured_more()
    pk = rollout.pk if place == "rollouts" else rollout.pool_id
    found = told(browse("auditor"), f"/{place}/{pk}/readings/?wave=1&hours=1")
    page = browse("auditor").get(f"/{place}/{pk}/measured/?wave=1&hours=1")
    assert_clean(page)
    for name in ("1.3.0-2", "1.1.6-2"):
        traces = [one for one in found["figure"]["data"] if str(one.get("name", "")).startswith(name)]
        assert f"{traces[2]['y'][-1]:.1f} ms".encode() in page.content
        assert f"{traces[4]['y'][-1]:.0f} MiB".encode() in page.content


def test_who_may_not_see_the_pool_sees_nothing(browse: Browse, rollout: Rollout) -> None:
    for path in (f"/rollouts/{rollout.pk}/readings/", f"/rollouts/{rollout.pk}/measured/"):
        assert browse("stranger").get(path).status_code == 404
        assert browse("oncall").post(path).status_code == 405
    for path in ("", "readings/", "measured/"):
        assert browse("stranger").get(f"/pools/{rollout.pool_id}/{path}").status_code == 404
        assert browse("anonymous").get(f"/pools/{rollout.pool_id}/{path}").status_code == 302


def test_what_calls_people_there_is_a_line(browse: Browse, rollout: Rollout) -> None:
    for path in (f"/rollouts/{rollout.pk}/readings/?wave=1", f"/pools/{rollout.pool_id}/readings/?hours=1"):
        texts = [note["text"] for note in told(browse("oncall"), path)["figure"]["layout"]["annotations"]]
        assert f"alert above {limit():g} %" in texts


def test_a_gateway_marks_what_rollouts_did_there(browse: Browse, rollout: Rollout) -> None:
    gateway = rollout.waves.get(number=1).upgrades.get().gateway_id
    layout = told(browse("operator"), f"/gateways/{gateway}/charts/?hours=1")["figure"]["layout"]
    marked = [note["text"] for note in layout["annotations"] if note["name"] == "mark"]
    assert marked == ["1.3.0-2 25 %", "1.3.0-2 100 %"]
    assert [shape["name"] for shape in layout["shapes"]].count("mark") == 2
    other = rollout.waves.get(number=2).upgrades.all()[0].gateway_id
    shapes = told(browse("operator"), f"/gateways/{other}/charts/?hours=1")["figure"]["layout"]["shapes"]
    assert {shape["name"] for shape in shapes} == {"limit"}


def test_a_wave_that_has_not_begun_has_no_charts(browse: Browse, rollout: Rollout) -> None:
    assert browse("oncall").get(f"/rollouts/{rollout.pk}/readings/?wave=2").status_code == 404
    assert browse("oncall").get(f"/rollouts/{rollout.pk}/readings/?wave=99").status_code == 404


def test_charts_take_few_queries(
    browse: Browse, rollout: Rollout, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = browse("oncall")
    with django_assert_max_num_queries(20):
        client.get(f"/rollouts/{rollout.pk}/readings/?wave=1")
    with django_assert_max_num_queries(20):
        client.get(f"/pools/{rollout.pool_id}/readings/?hours=1")
