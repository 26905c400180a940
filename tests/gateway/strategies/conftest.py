"""Three real gateways with two users each; each test begins with 1.1.6 in slot 1 and a fresh database."""

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
from tests.gateway.strategies.world import GATEWAYS, USERS, Crowd, Site

__all__ = ["controller", "pytest_configure"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    assert os.geteuid() == 0, "the gateway tests need root"
    with Lab(gateways=GATEWAYS, users=USERS, say=lambda _text: None) as standing:
        yield standing


@pytest.fixture(scope="package")
def seated(lab: Lab) -> Iterator[Crowd]:
    users = Crowd(lab)
    yield users
    time.sleep(GRACE)  # a packet counts as lost after this
    users.assert_unhurt()


@pytest.fixture
def site(lab: Lab, seated: Crowd, controller: None) -> Iterator[Site]:
    """The controller with these gateways enrolled, and everybody where he was."""
    site = Site(lab)
    guests.all_leave()
    site.home()
    seated.sit_down()
    yield site
    site.threads.shutdown()


@pytest.fixture
def users(site: Site, seated: Crowd) -> Crowd:
    """The users, seated on slot 1 of their gateways."""
    return seated
