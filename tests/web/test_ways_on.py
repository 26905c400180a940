"""Pages that say no name what is missing and a way on; lists say what a thing waits for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from approvals import needed
from approvals.models import User
from fleet.models import Balancer
from tests.factories import cast, pool
from tests.scenes import scene
from tests.sights import SIGHTS
from tests.web.conftest import assert_clean
from upgrader import selectors
from upgrader.models import Rollout

Browse = Callable[[str], Client]


@pytest.mark.parametrize(
    ("path", "right"),
    [("/audit/", "Can view audit event"), ("/releases/add/", "Can add release"), ("/credentials/", "May")],
)
def test_a_refusal_names_the_right_and_who_has_it(browse: Browse, path: str, right: str) -> None:
    page = browse("stranger").get(path)
    assert page.status_code == 403
    assert_clean(page)
    said = page.content.decode()
    assert f"This needs the right “{right}" in said
    assert "Ask somebody who has it (" in said
    assert "auditor" in said or "operator" in said
    assert "Nothing was changed." in said


def test_a_right_that_nobody_has_says_so() -> None:
    assert needed.lacking("approvals.delete_user").endswith("Nobody has it yet: ask whoever runs this dashboard.")


def test_of_many_who_have_it_three_are_named() -> None:
    right = Permission.objects.get(codename="view_auditevent")
    for number in range(5):
        User.objects.create(username=f"reader-{number}").user_permissions.add(right)
    assert "(reader-0, reader-1, reader-2 and others)" in needed.lacking("approvals.view_auditevent")


@pytest.mark.parametrize(("path", "way_on"), [("/strategies/check/", "/strategies/"), ("/errands/1/again/", "/")])
def test_an_address_that_takes_a_form_says_so(browse: Browse, path: str, way_on: str) -> None:
    page = browse("operator").get(path)
    assert (page.status_code, page["Allow"]) == (405, "POST")
    assert_clean(page)
    assert b"This address takes a form" in page.content
    assert f'class="button" href="{way_on}"'.encode() in page.content
    assert "default-src 'none'" in page["Content-Security-Policy"]


def test_programs_get_no_page_for_it(browse: Browse) -> None:
    assert browse("operator").get("/api/releases/").content == b""
    assert browse("operator").get("/strategies/check/", headers={"HX-Request": "true"}).content == b""


def words(browse: Browse) -> list[str]:
    page = browse("oncall").get("/rollouts/").content.decode()
    return [said for said in ("Waits for a person", "Waits to begin", "Running", "Draining", "On hold") if said in page]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("back_asked", ["Waits for a person"]),
        ("cut_asked", ["Waits for a person"]),
        ("late", ["Waits for a person"]),
        ("observing", ["Running"]),
        ("draining", ["Draining"]),
        ("held", ["On hold"]),
    ],
)
def test_the_list_says_what_the_page_says(browse: Browse, name: str, said: list[str]) -> None:
    rollout = scene(name).rollout
    assert words(browse) == said
    page = browse("oncall").get(f"/rollouts/{rollout.pk}/").content.decode()
    head = page[page.index('<div class="state">') : page.index("<h1>")]
    assert said[0] in head


def test_what_may_not_begin_is_not_running(browse: Browse) -> None:
    SIGHTS["waiting"]()
    assert words(browse) == ["Waits to begin"]


def test_a_list_of_many_takes_few_queries(django_assert_num_queries: Callable[[int], object]) -> None:
    for name in ("late", "observing", "back_asked"):
        scene(name, on=name)
    rows = selectors.rollouts_for(cast()["auditor"])
    with django_assert_num_queries(3):  # type: ignore[attr-defined]  # a context manager
        found = selectors.words_of(rows, timezone.now())
    assert len(found) == Rollout.objects.count() == 3


def test_haproxy_is_called_by_its_name() -> None:
    assert Balancer(kind="haproxy").get_kind_display() == "HAProxy"


def test_a_fleet_of_many_pools_shows_those_in_trouble_first(browse: Browse) -> None:
    for number in range(10):
        scene("planned", on=f"pool-{number}")
    trouble = pool("pool-9").gateways.first()
    assert trouble is not None
    type(trouble).objects.filter(pk=trouble.pk).update(state="unreachable")
    page = browse("auditor").get("/").content.decode()
    shown = page[page.index('id="fleet-title"') :]
    assert shown.index("pool-9") < shown.index("pool-0") < shown.index("<details") < shown.index("pool-8")
    assert "2 more pools" in shown
