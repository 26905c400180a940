"""The page of bounds where there are many pools: a page at a time, and a refusal on the page of its pool."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from approvals.models import User
from tests import factories
from tests.web.test_bounds import text

Browse = Callable[[str], Client]


def test_places_come_a_page_at_a_time(browse: Browse, people: dict[str, User]) -> None:
    for number in range(30):
        factories.person("operator", ("view_pool",), factories.pool(f"pool-{number:02}"))
    client = browse("operator")
    first, last = text(client.get("/bounds/")), text(client.get("/bounds/?page=3"))
    assert "The whole fleet" in first
    assert "pool-05" in first
    assert "Further pools" in first
    assert "pool-29" not in first
    assert "pool-29" in last


def test_what_was_refused_is_shown_on_its_page(browse: Browse, people: dict[str, User]) -> None:
    for number in range(30):
        factories.person("operator", factories.OPERATOR, factories.pool(f"pool-{number:02}"))
    place = factories.pool("pool-29").pk
    page = browse("operator").post(f"/bounds/{place}/freeze/", {"why": "The fair.", "hours": "90000"})
    assert page.status_code == 409
    assert "pool-29" in text(page)
