"""Each button, by the house's questions: works, records who and why, refuses GET, without the right, in the wrong
state, the second time, and from an old page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from approvals.models import AuditEvent, Request
from tests.scenes import Scene, scene
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


@dataclass(frozen=True)
class Case:
    """One action: who does it in which scene, what comes of it, who may not, and where it makes no sense."""

    path: str
    who: str
    scene: str
    after: str
    denied: str
    wrong: str
    reason: str = "said by a test"


CASES = [
    Case("submit", "operator", "planned", "waiting_approval", "oncall", "observing"),
    Case("approve", "oncall", "waiting_approval", "upgrading", "operator", "rejected"),
    Case("reject", "oncall", "waiting_approval", "rejected", "operator", "planned"),
    Case("promote", "operator", "waiting_promotion", "upgrading", "auditor", "observing"),
    Case("hold", "operator", "observing", "held", "auditor", "done"),
    Case("resume", "oncall", "held", "upgrading", "auditor", "observing"),
    Case("roll-back", "oncall", "observing", "rolling_back", "auditor", "planned"),
    Case("abort", "operator", "observing", "rolling_back", "auditor", "done"),
    Case("agree-back", "oncall", "back_asked", "rolling_back", "operator", "observing"),
    Case("refuse-back", "oncall", "back_asked", "held", "operator", "observing"),
    Case("extend", "operator", "late", "draining", "auditor", "planned"),
    Case("ask-cut", "operator", "late", "draining", "auditor", "planned"),
    Case("agree-cut", "oncall", "cut_asked", "draining", "operator", "observing"),
    Case("refuse-cut", "oncall", "cut_asked", "draining", "operator", "observing"),
    Case("retry", "oncall", "stuck", "upgrading", "auditor", "planned"),
    Case("skip", "oncall", "stuck", "held", "auditor", "planned"),
    Case("take-in", "oncall", "ready", "upgrading", "auditor", "planned"),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.path)


def shown(made: Scene, case: Case) -> str:
    """The digest that the page shows for it."""
    kind = {"back": "rollout.rollback", "cut": "drain.cut"}.get(case.path.partition("-")[2])
    asked = Request.objects.filter(kind=kind, subject=f"rollout:{made.rollout.pk}").first() if kind else None
    return asked.digest if asked else made.rollout.digest


def meant(made: Scene, case: Case) -> int:
    """The gateway that it is about."""
    state = {"retry": "failed", "skip": "failed", "take-in": "skipped"}.get(case.path, "")
    found = [upgrade.pk for wave in made.waves for upgrade in made.upgrades(wave.number) if upgrade.state == state]
    return found[0] if found else 0


def press(client: Client, made: Scene, case: Case, **fields: Any) -> HttpResponse:
    made.rollout.refresh_from_db()
    said = {"version": made.rollout.version, "digest": shown(made, case), "reason": case.reason, "hours": 4}
    said |= {"gateway": meant(made, case)} | fields
    headers = {"HX-Request": "true", "HX-Target": "rollout"} if fields.pop("htmx", False) else {}
    path = f"/rollouts/{made.rollout.pk}/{case.path}/"
    return client.post(path, said, headers=headers)  # type: ignore[return-value]  # the test client's subclass


@each
def test_works_and_records(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    before = AuditEvent.objects.count()
    page = press(browse(case.who), made, case)
    assert (page.status_code, page.headers["Location"]) == (302, f"/rollouts/{made.rollout.pk}/")
    made.rollout.refresh_from_db()
    assert made.rollout.state == case.after
    events = AuditEvent.objects.filter(seq__gt=before)
    assert any(case.who in event.actor for event in events)
    if case.path != "submit":
        assert any(case.reason in event.reason for event in events)


@each
def test_part_comes_back_to_htmx(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    page = press(browse(case.who), made, case, htmx=True)
    assert page.status_code == 200
    assert page.content.lstrip().startswith(b'<div id="rollout"')
    assert_clean(page)


@each
def test_refuses_get(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    assert browse(case.who).get(f"/rollouts/{made.rollout.pk}/{case.path}/").status_code == 405


@each
def test_refuses_without_the_right(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    state = made.rollout.state
    page = press(browse(case.denied), made, case)
    assert page.status_code == 409
    assert b"Nothing was done." in page.content
    assert press(browse("stranger"), made, case).status_code == 404
    made.rollout.refresh_from_db()
    assert made.rollout.state == state


@each
def test_refuses_in_the_wrong_state(browse: Browse, case: Case) -> None:
    made = scene(case.wrong)
    state = made.rollout.state
    page = press(browse(case.who), made, case)
    assert page.status_code == 409
    assert b"Nothing was done." in page.content
    made.rollout.refresh_from_db()
    assert made.rollout.state == state


@each
def test_second_time_changes_nothing(browse: Browse, case: Case) -> None:
    made = scene(case.scene)
    made.rollout.refresh_from_db()
    version = made.rollout.version
    press(browse(case.who), made, case)
    events = AuditEvent.objects.filter(verb="rollout.moved").count()
    press(browse(case.who), made, case, version=version)
    assert AuditEvent.objects.filter(verb="rollout.moved").count() == events


@pytest.mark.parametrize("path", ["reject", "roll-back", "abort", "skip", "ask-cut", "refuse-back", "refuse-cut"])
def test_reason_is_asked_for(browse: Browse, path: str) -> None:
    case = next(case for case in CASES if case.path == path)
    made = scene(case.scene)
    page = press(browse(case.who), made, case, reason="  ")
    assert page.status_code == 422
    assert b"Say why" in page.content


def test_old_page_is_told_what_happened_meanwhile(browse: Browse) -> None:
    made = scene("held")
    page = press(browse("operator"), made, CASES[4], version=0, htmx=True)
    assert page.status_code == 409
    assert b"Meanwhile: oncall" in page.content


def test_nobody_approves_his_own(browse: Browse) -> None:
    made = scene("waiting_approval")
    made.rollout.request.requested_by = made.people["oncall"]  # type: ignore[union-attr]  # the scene asked
    made.rollout.request.save()  # type: ignore[union-attr]
    assert press(browse("oncall"), made, CASES[1]).status_code == 409
    assert b"you asked for it" in browse("oncall").get(f"/rollouts/{made.rollout.pk}/").content


def test_unknown_action(browse: Browse) -> None:
    made = scene("observing")
    for path in ("explode", "roll_back"):
        assert browse("oncall").post(f"/rollouts/{made.rollout.pk}/{path}/").status_code == 404


def test_forged_post_is_refused() -> None:
    made = scene("observing")
    client = Client(enforce_csrf_checks=True)
    client.force_login(made.people["oncall"])
    page = client.post(f"/rollouts/{made.rollout.pk}/hold/", {"version": made.rollout.version})
    assert page.status_code == 403
    assert b"This form was too old" in page.content
