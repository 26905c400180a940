"""One person does alone what needs two, with a proof and a reason; another reviews it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import Permission
from django.test import Client

from approvals.models import AuditEvent, BreakGlass, User
from tests import factories
from tests.scenes import scene
from tests.web.conftest import assert_clean
from tests.web.signing_in import proven, with_code_app

Browse = Callable[[str], Client]


def test_the_glass_is_broken_with_a_proof_and_reviewed_by_another(browse: Browse, people: dict[str, User]) -> None:
    made, who = scene("waiting_approval"), with_code_app(people["operator"])
    who.user_permissions.add(Permission.objects.get(codename="break_glass"))
    factories.person("operator", ("approve_rollout",))
    client, address = browse("operator"), f"/decisions/{made.rollout.pk}/break-glass/"
    form = {"what": "start", "digest": made.rollout.digest, "reason": "Nobody gets in.", "back": "approve"}
    assert "Nobody else answers" in client.get(f"/decisions/{made.rollout.pk}/?do=approve").content.decode()
    assert client.post(address, form).headers["Location"].startswith("/account/prove/")
    assert not BreakGlass.objects.exists()
    assert client.get(address).status_code == 405
    assert proven(client, type="totp").post(address, form).status_code == 302
    assert client.post(address, form).status_code == 409
    glass = BreakGlass.objects.get()
    assert glass.strength == "second-factor"
    page = browse("oncall").get(f"/changes/alone/{glass.pk}/")
    assert_clean(page)
    assert browse("operator").post(f"/changes/alone/{glass.pk}/review/", {"found": "fine"}).status_code == 409
    assert browse("oncall").post(f"/changes/alone/{glass.pk}/review/", {"found": "It was one."}).status_code == 302
    assert AuditEvent.objects.get(verb="glass.reviewed").reason == "It was one."
    assert browse("stranger").get(f"/changes/alone/{glass.pk}/").status_code == 404
