"""One real gateway with one user for this folder, looked at by the controller's core; no test begins with drift."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet import gateways
from lab.fleet import Lab
from tests.gateway.drift.host import Host
from tests.gateway.labs import mark, pytest_configure
from tests.gateway.upgrader.world import RealFleet, Users
from upgrader import hint

__all__ = ["pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    assert os.geteuid() == 0, "the gateway tests need root"
    with Lab(gateways=1, users=1, say=lambda _text: None) as standing:
        yield standing


@pytest.fixture(scope="package")
def users(lab: Lab) -> Users:
    """The user, seated on slot 1: whatever is put back, he keeps his session."""
    users = Users(lab)
    users.sit_down()
    return users


@pytest.fixture
def controller(transactional_db: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of its own; no broker, for the test does the worker's part."""
    settings.REPOSITORY, settings.SNAPSHOTS = tmp_path / "repository", tmp_path / "snapshots"
    monkeypatch.setattr(hint, "send", lambda *_: None)


@pytest.fixture
def host(lab: Lab, users: Users, controller: None) -> Iterator[Host]:
    """The gateway's host, with the gateway enrolled and found well by a first look."""
    host = Host(RealFleet(lab))
    host.begin()
    yield host
    assert users.sessions() == users.ids
    gateways.close_all()
