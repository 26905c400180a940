"""/api/v1: who comes in, what is kept, which version was seen, and how errors look."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from approvals.models import AuditEvent, KeptAnswer, User
from fleet.models import Pool
from releases.models import Release
from tests import factories
from tests.db.releases.cast import trust
from tests.scenes import Scene, scene
from tests.unit.releases import desk
from tests.web.asgi import form, post
from tests.web.test_tokens import make

Browse = Callable[[str], Client]


class Program:
    """Something that calls with a token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get(self, path: str, **headers: str) -> Any:
        return Client().get(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.token}", **headers})

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        said = {"Authorization": f"Bearer {self.token}", **{name.replace("_", "-"): it for name, it in headers.items()}}
        return Client().post(f"/api/v1{path}", body or {}, content_type="application/json", headers=said)


def problem(answer: Any) -> tuple[int, str]:
    """Its status and sentence; every error has this form."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["type"], bool(said["title"])) == (answer.status_code, "about:blank", True)
    return answer.status_code, said["detail"]


@pytest.fixture
def made() -> Scene:
    it = scene("observing")
    it.rollout.refresh_from_db()
    return it


def test_only_a_token_or_a_session_comes_in(browse: Browse, people: dict[str, User]) -> None:
    nobody = Client().get("/api/v1/rollouts")
    assert problem(nobody)[0] == 401
    assert nobody.headers["WWW-Authenticate"].startswith("Bearer")
    assert problem(browse("operator").get("/api/v1/me", headers={"Authorization": "Basic abc"}))[0] == 401
    assert problem(Program("ho_" + "a" * 43).get("/me")) == (
        401,
        "This token is not known here. Make one at /account/tokens/.",
    )
    assert browse("operator").get("/api/v1/me").json() == {"user": "operator", "token": None}
    assert Program(make(people["operator"], "read")).get("/me").json()["token"]["scopes"] == ["read"]


def test_a_session_needs_the_csrf_token(people: dict[str, User], made: Scene) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people["operator"])
    answer = strict.post(f"/api/v1/rollouts/{made.rollout.pk}/hold", {}, content_type="application/json")
    assert problem(answer)[0] == 403
    made.rollout.refresh_from_db()
    assert made.rollout.state == "upgrading"


def test_a_token_lacks_what_its_scopes_and_its_owner_lack(people: dict[str, User], made: Scene) -> None:
    hold = f"/rollouts/{made.rollout.pk}/hold"
    version = {"If_Match": f'"{made.rollout.version}"'}
    assert problem(Program(make(people["operator"], "read")).post(hold, **version))[1].endswith("Make one with it.")
    assert problem(Program(make(people["auditor"], "operate")).post(hold, **version))[0] == 403
    assert problem(Program(make(people["stranger"], "operate")).post(hold, **version))[0] == 404
    assert Program(make(people["operator"], "operate")).post(hold, **version).json()["state"] == "held"


def test_one_that_is_bound_to_a_pool_reaches_no_other(people: dict[str, User], made: Scene) -> None:
    other = factories.pool("us-east")
    factories.person("operator", factories.OPERATOR, other)
    bound = Program(make(people["operator"], places=(f"pool:{other.pk}",)))
    assert bound.get("/rollouts").json()["items"] == []
    assert problem(bound.get(f"/rollouts/{made.rollout.pk}"))[0] == 404
    assert [pool["name"] for pool in bound.get("/pools").json()["items"]] == ["us-east"]
    assert problem(bound.post("/freezes", {"reason": "x"}))[0] == 403
    assert bound.post("/freezes", {"reason": "x", "pool": "us-east"}).status_code == 201
    assert problem(bound.post(f"/releases/{made.rollout.release_id}/withdraw", {"reason": "x"}))[0] == 403


def test_which_version_was_seen_is_said_and_the_new_state_comes_back(people: dict[str, User], made: Scene) -> None:
    program, where = Program(make(people["operator"])), f"/rollouts/{made.rollout.pk}"
    seen = program.get(where).headers["ETag"]
    assert problem(program.post(f"{where}/hold"))[0] == 428
    assert program.post(f"{where}/hold", If_Match=seen).json()["state"] == "held"
    late = program.post(f"{where}/resume", If_Match=seen)
    assert problem(late)[0] == 412
    assert (late.json()["now"]["state"], late.json()["detail"].startswith("You saw version")) == ("held", True)
    back = program.post(f"{where}/resume", If_Match="*")
    assert back.json().get("state") == "upgrading", back.content
    assert problem(program.post(f"{where}/hold", If_Match="yesterday"))[0] == 412


def test_the_same_key_is_done_once_and_answered_the_same(people: dict[str, User], made: Scene) -> None:
    program, where = Program(make(people["operator"])), "/freezes"
    first = program.post(where, {"reason": "fair", "pool": "eu-west"}, Idempotency_Key="k1")
    again = program.post(where, {"reason": "fair", "pool": "eu-west"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (again.headers["Idempotent-Replayed"], KeptAnswer.objects.count()) == ("true", 1)
    other = program.post(where, {"reason": "another", "pool": "eu-west"}, Idempotency_Key="k1")
    assert problem(other)[1].startswith("This Idempotency-Key was used for another call")
    KeptAnswer.objects.update(status=None)
    assert problem(program.post(where, {"reason": "fair", "pool": "eu-west"}, Idempotency_Key="k1"))[0] == 409
    assert AuditEvent.objects.filter(verb="freeze.begun").count() == 1


def test_each_write_by_a_token_is_on_record_with_what_it_did(people: dict[str, User], made: Scene) -> None:
    Program(make(people["operator"])).post(f"/rollouts/{made.rollout.pk}/hold", If_Match="*")
    used = AuditEvent.objects.get(verb="token.used")
    moved = AuditEvent.objects.filter(verb="rollout.moved").latest("seq")
    assert (used.actor, moved.actor, f"/api/v1/rollouts/{made.rollout.pk}/hold" in used.body) == (
        "operator",
        "operator",
        True,
    )


def test_a_program_has_no_second_factor(people: dict[str, User], settings: Any) -> None:
    settings.STEP_UP = "second-factor"
    rollout = scene("waiting_approval").rollout
    answer = Program(make(people["oncall"])).post(f"/rollouts/{rollout.pk}/approve", {"digest": rollout.digest})
    assert problem(answer) == (
        403,
        "This asks for a second factor, and a program has none. A person decides it on the page.",
    )
    rollout.refresh_from_db()
    assert rollout.state == "waiting_approval"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/nowhere", 404),
        ("get", "/rollouts/1/hold", 405),
        ("get", "/rollouts?limit=0", 422),
        ("get", "/rollouts?cursor=yesterday", 422),
        ("get", "/gateways?q=%00", 422),
        ("get", "/rollouts/99999999999999999999999", 404),
        ("post", "/rollouts", 422),
        ("post", "/freezes", 422),
        ("post", "/gateways/1/quarantine", 404),
    ],
)
def test_every_error_is_a_problem(people: dict[str, User], method: str, path: str, status: int) -> None:
    assert problem(getattr(Program(make(people["operator"])), method)(path))[0] == status


def test_lists_go_on_where_they_ended(people: dict[str, User]) -> None:
    for name in ("a", "b", "c"):
        factories.person("operator", factories.OPERATOR, Pool.objects.create(name=name))
    program = Program(make(people["operator"]))
    first = program.get("/pools?limit=2").json()
    Pool.objects.create(name="later")
    then = program.get(f"/pools?limit=2&cursor={first['next']}").json()
    names = [pool["name"] for part in (first, then) for pool in part["items"]]
    assert (names, then["next"]) == (["c", "b", "a", "eu-west"], "")


def test_a_release_comes_by_token(people: dict[str, User], settings: Any, tmp_path: Path) -> None:
    settings.REPOSITORY = tmp_path / "repository"
    trust("li")
    folder = desk.release(tmp_path / "in", desk.key("li"), packed=desk.bundle(desk.member("lib/libx.so.1")))
    body = form([(path.name, path.read_bytes()) for path in folder.iterdir()])

    def bring(*scopes: str) -> tuple[int, dict[str, Any]]:
        told = {"authorization": f"Bearer {make(people['operator'], *scopes)}"}
        answer = post(Client(), "/api/v1/releases", body, headers=told)
        return answer.status, json.loads(answer.content)

    assert bring("read")[0] == 403
    status, said = bring("operate")
    assert (status, said["name"], said["added_by"]) == (201, "1.3.0-2", "operator")
    assert Release.objects.get().digest == said["digest"]
