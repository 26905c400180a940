"""Approving and rolling back ask for a recent proof, by method; what stops and says no never waits for one."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from approvals.models import AuditEvent, Request, User
from tests.scenes import Scene, scene
from tests.web import signing_in
from tests.web.conftest import assert_clean
from tests.web.signing_in import one_code  # noqa: F401 - a fixture
from tests.web.test_keys import public_key

Browse = Callable[[str], Client]
WHY = "The change is understood"


def waiting(people: dict[str, User]) -> Scene:
    """A plan that waits for oncall, who has a code app."""
    signing_in.with_code_app(people["oncall"])
    return scene("waiting_approval")


def said(made: Scene) -> dict[str, object]:
    request = made.rollout.request
    assert request
    return {"version": made.rollout.version, "digest": request.digest, "reason": WHY, "decision": "1"}


def state(made: Scene) -> str:
    made.rollout.refresh_from_db()
    return str(made.rollout.state)


def test_there_and_back_with_the_reason(browse: Browse, people: dict[str, User], one_code: str) -> None:  # noqa: F811
    made, oncall = waiting(people), browse("oncall")
    path = f"/rollouts/{made.rollout.pk}/approve/"
    sent = oncall.post(path, said(made))
    assert sent.headers["Location"].startswith("/account/prove/?next=")
    assert state(made) == "waiting_approval"
    page = oncall.get(sent.headers["Location"])
    assert_clean(page)
    back = parse_qs(urlsplit(sent.headers["Location"]).query)["next"][0]
    proof = {"code": one_code, "next": back, "with": "second-factor"}
    assert oncall.post("/account/prove/", proof).headers["Location"] == back
    assert f'value="{WHY}"' in oncall.get(back).content.decode()
    assert oncall.post(path, said(made)).headers["Location"] == f"/rollouts/{made.rollout.pk}/"
    assert state(made) == "upgrading"
    assert '"proven":"code at ' in AuditEvent.objects.get(verb="approval.approved").body
    assert f'value="{WHY}"' not in oncall.get(back).content.decode(), "it was sent"


@pytest.mark.parametrize("note", [{"method": "password"}, {"type": "totp", "ago": 901.0}, {"method": "socialaccount"}])
def test_a_password_or_an_old_proof_is_not_enough(
    browse: Browse, people: dict[str, User], note: dict[str, object]
) -> None:
    made = waiting(people)
    oncall = signing_in.proven(browse("oncall"), **note)  # type: ignore[arg-type]  # keywords of several types
    assert "/account/prove/" in oncall.post(f"/rollouts/{made.rollout.pk}/approve/", said(made)).headers["Location"]
    assert state(made) == "waiting_approval"


def test_parts_and_programs_are_told_where(browse: Browse, people: dict[str, User]) -> None:
    made, oncall = waiting(people), browse("oncall")
    path = f"/rollouts/{made.rollout.pk}/approve/"
    part = oncall.post(path, said(made), headers={"HX-Request": "true", "HX-Target": "decision"})
    told = oncall.post(path, json.dumps(said(made)), content_type="application/json")
    assert [part.status_code, told.status_code] == [403, 403]
    assert part.headers["HX-Redirect"] == part.json()["step_up"] == told.json()["step_up"]
    assert state(made) == "waiting_approval"


@pytest.mark.parametrize("path", ["reject", "hold"])
def test_what_stops_never_waits(browse: Browse, people: dict[str, User], path: str) -> None:
    signing_in.with_code_app(people["oncall"])
    made = scene("observing" if path == "hold" else "waiting_approval")
    words = {"version": made.rollout.version, "reason": WHY}
    words |= {"digest": said(made)["digest"]} if path == "reject" else {}
    assert browse("oncall").post(f"/rollouts/{made.rollout.pk}/{path}/", words).status_code == 302
    assert state(made) in ("held", "rejected")


def test_the_house_may_ask_for_passkeys(browse: Browse, people: dict[str, User], settings: object) -> None:
    settings.STEP_UP = "passkey"  # type: ignore[attr-defined]  # pytest-django's wrapper
    made = waiting(people)
    path = f"/rollouts/{made.rollout.pk}/approve/"
    by_code = signing_in.proven(browse("oncall"), type="totp").post(path, said(made))
    assert "with=passkey" in by_code.headers["Location"]
    page = browse("oncall").get(by_code.headers["Location"]).content.decode()
    assert "You have no passkey here yet" in page
    assert signing_in.proven(browse("oncall"), type="webauthn").post(path, said(made)).status_code == 302
    assert state(made) == "upgrading"


def test_who_comes_by_his_company_alone_does_not_slip_through(browse: Browse, people: dict[str, User]) -> None:
    made, user = scene("waiting_approval"), people["oncall"]
    user.set_unusable_password()
    user.save()
    path = f"/rollouts/{made.rollout.pk}/approve/"
    weak = signing_in.proven(browse("oncall"), "socialaccount", strength="password")
    assert "/account/prove/" in weak.post(path, said(made)).headers["Location"]
    strong = signing_in.proven(browse("oncall"), "socialaccount", strength="second-factor")
    assert strong.post(path, said(made)).headers["Location"] == f"/rollouts/{made.rollout.pk}/"


def test_rolling_back_and_changes_ask_too(browse: Browse, people: dict[str, User]) -> None:
    signing_in.with_code_app(people["oncall"])
    made, oncall = scene("observing"), browse("oncall")
    words = {"version": made.rollout.version, "reason": WHY}
    assert "/account/prove/" in oncall.post(f"/rollouts/{made.rollout.pk}/roll-back/", words).headers["Location"]
    assert state(made) == "upgrading"
    browse("operator").post("/keys/add/", {"key": public_key()})
    asked = Request.objects.latest("pk")
    path, words = f"/changes/{asked.pk}/approve/", {"digest": asked.digest, "reason": WHY}
    sent = oncall.post(path, words)
    assert sent.headers["Location"].startswith(f"/account/prove/?next=%2Fchanges%2F{asked.pk}%2F")
    assert WHY in oncall.get(f"/changes/{asked.pk}/").content.decode()
    assert signing_in.proven(oncall, type="totp").post(path, words).headers["Location"] == f"/changes/{asked.pk}/"


def test_wrong_proofs_lead_nowhere(browse: Browse, people: dict[str, User]) -> None:
    signing_in.with_code_app(people["oncall"])
    oncall = browse("oncall")
    for words in ({"code": "000000"}, {"password": "wrong"}, {"credential": "{}"}, {"credential": "no JSON"}):
        page = oncall.post("/account/prove/", {**words, "next": "https://evil.example/", "with": "second-factor"})
        assert page.status_code == 422
        assert "evil.example" not in page.content.decode()


@pytest.mark.parametrize(
    "path", ["password", "code-app", "recovery-codes/new", "passkeys/add", "recovery-codes", "passkeys/1/remove"]
)
def test_an_open_page_is_not_enough_to_change_how_one_signs_in(browse: Browse, path: str) -> None:
    for client in (browse("oncall"), signing_in.proven(browse("oncall"), "password", ago=901)):
        for answer in (client.get(f"/account/{path}/"), client.post(f"/account/{path}/", {})):
            assert answer.headers["Location"].startswith("/account/prove/?next=%2Faccount%2F")
