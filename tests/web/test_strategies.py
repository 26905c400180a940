"""Strategies in the browser: reading, writing with a check, the next version, retiring one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from approvals.models import Actor, AuditEvent
from tests import factories
from tests.factories import NOON
from tests.web.conftest import assert_clean
from upgrader import strategy_store
from upgrader.models import Strategy

Browse = Callable[[str], Client]
TEXT = "title: Mine\nwaves:\n  - title: canary\n    count: 1\n    weights: [25, 100]\n  - rest: true\n"
WRONG = TEXT.replace("[25, 100]", "[50, 25]")


def stored() -> Strategy:
    factories.pool()
    return strategy_store.store("mine", TEXT, by=None, actor=Actor.machine("test"), now=NOON)


def test_the_list_shows_what_is_shipped(browse: Browse) -> None:
    strategy_store.load(actor=Actor.machine("test"), now=NOON)
    page = browse("auditor").get("/strategies/")
    for words in (b"Careful canary", b"Blue-green", b"at the same moment", b"Emergency patch", b"may pass a freeze"):
        assert words in page.content
    assert b"Write a strategy" not in page.content
    assert_clean(page)


def test_a_version_shows_its_picture_and_its_text(browse: Browse) -> None:
    page = browse("oncall").get(f"/strategies/{stored().pk}/")
    assert b'aria-label="25 %, then 100 % of the new clients, watched for 15 min each"' in page.content
    assert b"weights: [25, 100]" in page.content
    assert b"a person lets it on" in page.content
    assert_clean(page)


def test_one_without_a_text_is_written_from_its_data(browse: Browse) -> None:
    page = browse("operator").get(f"/strategies/{factories.strategy().pk}/")
    assert b"title: One, then the rest" in page.content
    assert b"count: 1" in page.content


def test_keeping_it_makes_a_version_with_its_writer(browse: Browse) -> None:
    page = browse("operator").post("/strategies/add/", {"name": "mine", "text": TEXT.replace("\n", "\r\n")})
    row = Strategy.objects.get()
    assert (page.status_code, page["Location"]) == (302, f"/strategies/{row.pk}/")
    assert (row.name, row.version, row.title, row.source) == ("mine", 1, "Mine", TEXT)
    assert row.added_by is not None
    assert (row.added_by.username, AuditEvent.objects.get(verb="strategy.added").actor) == ("operator", "operator")


def test_the_second_time_nothing_is_added(browse: Browse) -> None:
    client = browse("operator")
    for _ in range(2):
        assert client.post("/strategies/add/", {"name": "mine", "text": TEXT}).status_code == 302
    assert Strategy.objects.count() == 1


def test_the_next_version_shows_what_it_changed(browse: Browse) -> None:
    first, client = stored(), browse("operator")
    assert b"weights: [25, 100]" in client.get(f"/strategies/add/?from={first.pk}").content
    client.post("/strategies/add/", {"name": "mine", "text": TEXT.replace("25", "5")})
    second = Strategy.objects.get(version=2)
    page = client.get(f"/strategies/{second.pk}/")
    assert b"Changed since version 1" in page.content
    assert b"weights: [5, 100]" in page.content
    assert b"New rollouts take" in client.get(f"/strategies/{first.pk}/").content


def test_a_wrong_text_loses_nothing_and_marks_its_line(browse: Browse) -> None:
    page = browse("operator").post("/strategies/add/", {"name": "mine", "text": WRONG})
    assert page.status_code == 422
    assert b"Line 5: weights must rise and end at 100, and are [50, 25]." in page.content
    assert b"weights: [50, 25]" in page.content.partition(b"</textarea>")[0]
    assert b'class="wrong"' in page.content
    assert not Strategy.objects.exists()
    assert_clean(page)


def test_it_is_checked_while_it_is_written(browse: Browse) -> None:
    stored()
    client = browse("auditor")
    wrong = client.post("/strategies/check/", {"name": "mine", "text": WRONG})
    assert b"Line 5: weights must rise" in wrong.content
    good = client.post("/strategies/check/", {"name": "mine", "text": TEXT.replace("count: 1", "count: 2")})
    assert b"2 gateways" in good.content
    assert b"Changed since version 1" in good.content
    assert Strategy.objects.count() == 1
    assert_clean(good)


@pytest.mark.parametrize("who", ["oncall", "auditor"])
def test_without_the_right_nothing_is_kept_or_retired(browse: Browse, who: str) -> None:
    row, client = stored(), browse(who)
    added = client.post("/strategies/add/", {"name": "other", "text": TEXT})
    retired = client.post(f"/strategies/{row.pk}/retire/", {"reason": "because"})
    for page in (added, retired):
        assert page.status_code == 409
        assert b"You may not add or retire strategies." in page.content
    row.refresh_from_db()
    assert (Strategy.objects.count(), row.retired_at) == (1, None)


def test_retiring_says_why_and_takes_it_out_of_the_choice(browse: Browse) -> None:
    row, client = stored(), browse("operator")
    assert client.post(f"/strategies/{row.pk}/retire/", {}).status_code == 422
    for _ in range(2):
        assert client.post(f"/strategies/{row.pk}/retire/", {"reason": "too slow"}).status_code == 302
    event = AuditEvent.objects.get(verb="strategy.retired")
    assert (event.actor, event.reason) == ("operator", "too slow")
    assert b"no new rollout takes it" in client.get(f"/strategies/{row.pk}/").content
    assert b">Mine (v1)<" not in client.get("/rollouts/new/").content


def test_a_stored_one_that_cannot_be_read_says_so(browse: Browse) -> None:
    row = stored()
    Strategy.objects.filter(pk=row.pk).update(spec={"waves": []})
    page = browse("operator").get(f"/strategies/{row.pk}/")
    assert page.status_code == 200
    assert "can't be read any more: The strategy has no waves." in page.content.decode().replace("&#x27;", "'")
