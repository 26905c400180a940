"""Pools with no window, freeze or budget of their own share a card, so that the others are seen."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def test_pools_without_bounds_of_their_own_share_a_card(browse: Browse) -> None:
    factories.fleet()
    client, place = browse("operator"), factories.pool().pk
    page = client.get("/bounds/")
    assert_clean(page)
    assert b"1 pool under the fleet" in page.content
    refused = client.post(f"/bounds/{place}/freeze/", {"hours": "0", "why": ""})
    assert b"under the fleet" not in refused.content  # with its refusal it stands alone
    assert f'id="place-{place}"'.encode() in refused.content
