"""Before the first rollout the first page says what is to be set up, and who may."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def text(client: Client) -> str:
    page = client.get("/")
    assert_clean(page)
    return " ".join(page.content.decode().split())


def test_an_empty_house_begins_with_the_signers(browse: Browse) -> None:
    said = text(browse("operator"))
    assert said.count("To do") == 4
    assert 'class="button go" href="/signers/"' in said
    assert "It needs the right" not in said


def test_who_may_not_is_told_the_right(browse: Browse) -> None:
    said = text(browse("auditor"))
    assert "It needs the right “Can add release”." in said
    assert 'href="/gateways/add/"' not in said


def test_what_is_done_is_ticked_and_the_rollout_comes_last(browse: Browse) -> None:
    factories.release()
    factories.gateway("fra-gw-01")
    said = text(browse("operator"))
    assert said.count("Done</span>") == 3
    assert 'class="button go" href="/rollouts/new/"' in said
    assert "How it goes" in said


def test_it_goes_with_the_first_rollout(browse: Browse) -> None:
    factories.gateway("fra-gw-01")
    factories.draft(factories.cast()["operator"], to=factories.release())
    assert "Before the first rollout" not in text(browse("operator"))
