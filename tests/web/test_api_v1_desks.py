"""/api/v1 beyond rollouts: what one asks and another decides, gateways, alerts, the record."""

from __future__ import annotations

import json
from typing import Any

from approvals.models import AuditEvent, User
from fleet.models import Alert, Gateway
from tests import factories
from tests.web.test_api_v1 import Program, problem
from tests.web.test_tokens import make
from upgrader import strategy_store
from upgrader.models import Freeze

KEY = ["ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIGZ1Y2sgdGhpcyBpcyBub3QgYSByZWFsIGtleSEh"]


def two(people: dict[str, User]) -> tuple[Program, Program]:
    return Program(make(people["operator"])), Program(make(people["oncall"]))


def decided(asked: Any, by: Program) -> Any:
    """Another person's yes to what was asked: found in his list, bound to what he read."""
    assert asked.status_code == 202, asked.content
    mine = [one for one in by.get("/approvals").json()["items"] if one["id"] == asked.json()["id"]]
    where = asked.headers["Location"].removeprefix("/api/v1")
    assert by.get(where).json()["digest"] == mine[0]["digest"]
    return by.post(f"{where}/approve", {"digest": mine[0]["digest"]})


def test_one_freezes_and_two_lift(people: dict[str, User]) -> None:
    operator, oncall = two(people)
    frozen = operator.post("/freezes", {"pool": "eu-west", "reason": "a fair", "hours": 4}).json()
    asked = operator.post(f"/freezes/{frozen['id']}/lift", {"reason": "it is over"})
    own = operator.post(f"/approvals/{asked.json()['id']}/approve", {"digest": asked.json()["digest"]})
    assert problem(own)[0] == 409
    other = oncall.post(f"/approvals/{asked.json()['id']}/approve", {"digest": "0" * 64})
    assert problem(other)[0] == 409
    assert decided(asked, oncall).json()["state"] == "approved"
    assert Freeze.objects.get().lifted_at is not None
    places = {place["pool"]: place for place in operator.get("/bounds").json()["places"]}
    assert places["eu-west"]["freezes"] == []


def test_windows_and_budgets_are_asked_of_a_second_person(people: dict[str, User]) -> None:
    operator, oncall = two(people)
    rules = [{"days": ["mon", "tue"], "from": "22:00", "until": "04:00"}]
    window = {"pool": "eu-west", "title": "Nights", "zone": "Europe/Berlin", "rules": rules, "reason": "quiet"}
    assert decided(operator.post("/windows", window), oncall).json()["state"] == "approved"
    budget = {"pool": "eu-west", "gateways_percent": 50, "reason": "more spare ones"}
    asked = operator.post("/budgets", budget).json()
    said = {"digest": asked["digest"]}
    assert problem(oncall.post(f"/approvals/{asked['id']}/reject", said))[0] == 422
    said["reason"] = "not this week"
    assert oncall.post(f"/approvals/{asked['id']}/reject", said).json()["state"] == "rejected"
    assert problem(operator.post("/windows", window | {"zone": "Europe/Nowhere"}))[0] == 409


def test_a_gateway_comes_in_and_goes_by_two(people: dict[str, User]) -> None:
    operator, oncall = two(people)
    host = {"name": "fra-gw-09", "address": "fra-gw-09.example.net", "pool": "eu-west", "keys": [KEY]}
    assert decided(operator.post("/gateways", host), oncall).json()["state"] == "approved"
    gateway = Gateway.objects.get(name="fra-gw-09")
    assert gateway.state == "enrolled"
    assert operator.get("/gateways?q=fra-gw").json()["items"][0]["name"] == "fra-gw-09"
    assert operator.post(f"/gateways/{gateway.pk}/look").status_code == 202
    assert problem(Program(make(people["auditor"])).post(f"/gateways/{gateway.pk}/look"))[0] == 403
    left = operator.post(f"/gateways/{gateway.pk}/leave", {"reason": "sold"})
    assert decided(left, oncall).json()["state"] == "approved"
    assert operator.get(f"/gateways/{gateway.pk}").json()["state"] == "left"


def test_alerts_are_acknowledged_and_silenced(people: dict[str, User]) -> None:
    operator, _ = two(people)
    gateway = factories.gateway("fra-gw-01")
    words = {"kind": "hold", "subject": "rollout:1", "code": "rollout:1", "pool": gateway.pool, "say": "It waits."}
    alert = Alert.objects.create(**words, details={"about": "Rollout 1 is on hold"}, since=factories.NOON)
    assert operator.get("/alerts").json()["items"][0]["title"] == "Rollout 1 is on hold"
    seen = operator.post(f"/alerts/{alert.pk}/acknowledge", {"reason": "I look"}).json()
    assert seen["acknowledged"]["by"] == "operator"
    begun = operator.post("/silences", {"pool": "eu-west", "hours": 2, "reason": "works"})
    assert begun.status_code == 201
    assert operator.post(f"/silences/{begun.json()['id']}/end").json()["ended_at"]
    assert operator.get("/silences").json()["items"] == []


def test_who_may_read_the_record_reads_it_and_that_is_on_record(people: dict[str, User]) -> None:
    auditor = Program(make(people["auditor"], "read"))
    assert problem(Program(make(people["operator"], "read")).get("/audit"))[0] == 403
    events = auditor.get("/audit?verb=token.made").json()["items"]
    assert {event["actor"]["name"] for event in events} == {"auditor", "operator"}
    lines = b"".join(auditor.get("/audit/export").streaming_content).decode().splitlines()
    assert [json.loads(line)["seq"] for line in lines if '"seq"' in line][:2] == [1, 2]
    assert auditor.post("/audit/verify").json()["good"] is True
    assert AuditEvent.objects.filter(verb__in=["record.read", "record.exported"]).count() >= 2


def test_a_strategy_is_added_once_and_retired(people: dict[str, User]) -> None:
    operator, _ = two(people)
    said = {"name": "nightly", "text": shipped_text()}
    assert [operator.post("/strategies", said).status_code for _ in range(2)] == [201, 200]
    assert problem(operator.post("/strategies", said | {"text": "waves: ["}))[0] == 422
    row = next(one for one in operator.get("/strategies").json()["items"] if one["name"] == "nightly")
    assert problem(operator.post(f"/strategies/{row['id']}/retire", {"reason": ""}))[0] == 422
    assert operator.post(f"/strategies/{row['id']}/retire", {"reason": "unused"}).json()["retired_at"]


def shipped_text() -> str:
    """A strategy that comes with the product."""
    return strategy_store.shipped()["careful-canary"]
