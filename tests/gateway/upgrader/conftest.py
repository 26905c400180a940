"""One real gateway with two users for this folder; each test begins with 1.1.6 in slot 1 and a fresh database."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import Lab
from lab.tally import GRACE
from tests.gateway.labs import mark, pytest_configure
from tests.gateway.ocgate import guests
from tests.gateway.reach import controller
from tests.gateway.upgrader.world import RealFleet, Users

__all__ = ["controller", "pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    assert os.geteuid() == 0, "the gateway tests need root"
    with Lab(gateways=1, users=2, say=lambda _text: None) as standing:
        yield standing


@pytest.fixture(scope="package")
def seated(lab: Lab) -> Iterator[Users]:
    users = Users(lab)
    yield users
    time.sleep(GRACE)  # a packet counts as lost after this
    users.assert_unhurt()


@pytest.fixture
def fleet(lab: Lab, seated: Users, controller: None) -> RealFleet:
    """The controller with this gateway enrolled, and everybody where he was."""
    fleet = RealFleet(lab)
    guests.all_leave()
    try:
        fleet.home()
        seated.sit_down()
    except Exception:
        # This test fails with it. The next one begins on a machine that knows nothing of it.
        fleet.machine.reboot()
        raise
    return fleet


@pytest.fixture
def users(fleet: RealFleet, seated: Users) -> Users:
    """The two users, seated on slot 1."""
    return seated
