"""No page asks more questions where there is more: each is asked about 12 pools and about 18.

script/bench pages does the same with 10,000 gateways and a million events, on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse
from zeal import zeal_context
from zeal.constants import initialize_app_registry
from zeal.patch import patch

from approvals.models import User
from tests import factories
from tests.scenes import scene
from upgrader.urls import urlpatterns
from upgrader.views.overview import FULL

Browse = Callable[[str], Client]
STATES = ("waiting_approval", "observing", "waiting_promotion", "held", "draining", "done")
MOST = 100  # queries of one page
SPARE = 3  # that a page may ask more for what is there in one world only


@pytest.fixture(scope="module", autouse=True)
def _watched() -> None:
    """As zeal's own app does when it is installed; it is for tests alone."""
    assert not apps.is_installed("zeal")
    initialize_app_registry()
    patch()


def paths() -> Iterator[tuple[str, str]]:
    """Pages about everything; those about one thing are bounded by that (tests/web/test_big_rollouts.py)."""
    for pattern in urlpatterns:
        if isinstance(pattern, URLPattern) and pattern.name and not pattern.pattern.converters:
            yield pattern.name, reverse(pattern.name)


def more(count: int, begin: int = 0) -> None:
    """Pools in all states that keep somebody busy."""
    for number in range(begin, begin + count):
        for state in STATES:
            scene(state, on=f"{state}-{number}", release=f"1.3.{number}-2")
            for who, rights in (("operator", factories.OPERATOR), ("oncall", factories.ONCALL)):
                factories.person(who, rights, factories.pool(f"{state}-{number}"))


def asked(client: Client) -> dict[str, int]:
    found = {}
    for name, path in paths():
        with CaptureQueriesContext(connection) as seen, zeal_context():
            answer = client.get(path)
        if answer.status_code == 200:
            found[name] = len(seen)
    return found


def test_pages_ask_as_much_about_many_as_about_few(browse: Browse, people: dict[str, User], settings: Any) -> None:
    settings.ZEAL_NPLUSONE_THRESHOLD = 2 * FULL + 2  # so many rollouts are drawn whole on the first page
    client = browse("oncall")
    more(2)
    client.get("/")  # what is read once and kept does not count
    few = asked(client)
    more(1, begin=2)
    many = asked(client)
    grown = {
        name: (few.get(name), count)
        for name, count in many.items()
        if count > MOST or count > few.get(name, count) + SPARE
    }
    assert grown == {}
    assert len(many) > 20
