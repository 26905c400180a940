"""The same actions for programs: JSON in, the rollout or the sentence why not out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from approvals.models import AuditEvent
from tests.scenes import scene
from tests.web.test_moves import CASES, Case, meant, shown

Browse = Callable[[str], Client]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)


@each
def test_works_by_json(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    made.rollout.refresh_from_db()
    said = {"version": made.rollout.version, "digest": shown(made, case), "reason": case.reason, "hours": 4}
    said["gateway"] = meant(made, case)
    path = f"/api/rollouts/{made.rollout.pk}/{case.path}/"
    answer = browse(case.who).post(path, said, content_type="application/json")
    assert (answer.status_code, answer.json().get("state")) == (200, case.after)


def test_what_is_refused_says_why(browse: Browse) -> None:
    made = scene("done")
    path = f"/api/rollouts/{made.rollout.pk}/hold/"
    answer = browse("operator").post(path, {"version": made.rollout.version}, content_type="application/json")
    said = answer.json()
    assert (answer.status_code, said["say"]) == (409, "The rollout is done; there is nothing to hold.")
    assert (said["state"], said["reason"]) == ("done", "The last old slot is empty and retired.")


@pytest.mark.parametrize("body", ["{", "[1]", '{"version": "many"}'])
def test_what_can_not_be_read_is_an_old_page(browse: Browse, body: str) -> None:
    made = scene("observing")
    path = f"/api/rollouts/{made.rollout.pk}/hold/"
    answer = browse("operator").post(path, body, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["say"].startswith("The page you saw is old")


def test_a_missing_reason_is_422_and_strangers_learn_nothing(browse: Browse) -> None:
    made = scene("observing")
    path = f"/api/rollouts/{made.rollout.pk}/abort/"
    events = AuditEvent.objects.count()
    assert browse("operator").post(path, {}, content_type="application/json").status_code == 422
    assert browse("stranger").post(path, {"reason": "x"}, content_type="application/json").status_code == 404
    assert browse("operator").get(path).status_code == 405
    assert browse("operator").post(f"/api/rollouts/{made.rollout.pk}/explode/").status_code == 404
    assert AuditEvent.objects.count() == events
