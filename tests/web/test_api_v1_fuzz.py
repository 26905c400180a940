"""What nobody thought of: requests that schemathesis makes of the API's own description are never a fault of ours.

HANDOVER_FUZZ=200 makes so many of each call instead of a few (docs/api.md).
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from approvals.models import User
from tests.scenes import scene
from tests.web.test_tokens import make
from upgrader.api_v1.api import addresses, described

EACH = int(os.environ.get("HANDOVER_FUZZ", "2"))
OUTSIDE = ("/gateways/scan", "/gateways/{gateway_id}/host-key/look")  # these connect to an address that is sent
WANTED = [it for it in addresses() if not it[1].endswith(OUTSIDE)]
few = settings(
    max_examples=EACH,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def known(people: dict[str, User]) -> dict[str, Any]:
    """Numbers of rows that are there, by the names that addresses have for them."""
    made = scene("waiting_approval")
    rollout = made.rollout
    gateway = made.upgrades(1)[0].gateway_id
    about = {"rollout_id": rollout.pk, "request_id": rollout.request_id, "release_id": rollout.release_id}
    return {**about, "gateway_id": gateway, "strategy_id": rollout.strategy_id}


def send(case: Any, token: str, known: dict[str, Any]) -> Any:
    """One request, about rows that are there where there are some; nothing of it stays."""
    place = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
    path = case.operation.path.format(**place)
    headers = {str(name): str(value) for name, value in (case.headers or {}).items()}
    headers = {name: value for name, value in headers.items() if value.isascii() and value.isprintable()}
    sent = {"headers": {**headers, "Authorization": f"Bearer {token}"}, "query_params": case.query or {}}
    body = case.body if isinstance(case.body, dict | list | str | int | float | bool | None) else {}
    with transaction.atomic():
        method = str(case.method).lower()
        more = {} if method == "get" else {"data": body if body is not None else {}, "content_type": "application/json"}
        answer = getattr(Client(raise_request_exception=False), method)(path, **more, **sent)
        transaction.set_rollback(True)
    return answer


def faults_of(operation: Any, token: str, known: dict[str, Any]) -> list[str]:
    """What went wrong here of the requests that one call's description makes."""
    found: list[str] = []

    @few
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = send(case, token, known)
        if answer.status_code >= 500:
            found.append(f"{answer.status_code} {case.method} {operation.path} {case.query} {case.body!r}")

    ask()
    return found


def test_no_request_is_a_fault_of_ours(people: dict[str, User], known: dict[str, Any]) -> None:
    token, schema = make(people["oncall"]), schemathesis.openapi.from_dict(described())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    asked = {(it.method.upper(), it.path): faults_of(it, token, known) for it in operations if is_wanted(it)}
    assert [fault for faults in asked.values() for fault in faults] == []
    assert set(asked) == set(WANTED)


def is_wanted(operation: Any) -> bool:
    return (operation.method.upper(), operation.path) in WANTED
