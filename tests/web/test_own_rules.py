"""A rule of one's own: tried on the last day, added with who and why, judged like any other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from approvals.models import AuditEvent
from fleet.alarms import rule_store, watch
from fleet.models import AlarmRule, Alert, Gateway, Reading
from tests import factories
from tests.db.fleet.alarms.world import NOW, ZERO, answered, measured, read
from tests.web.conftest import assert_clean

pytestmark = pytest.mark.django_db
Browse = Callable[[str], Client]
TYPED = {
    **{"title": "Many departures", "place": "0", "metric": "session_errors", "comparison": "above"},
    **{"threshold": "2", "clears_at": "1", "for_seconds": "60", "window_seconds": "60", "least": "1"},
    **{"severity": "critical", "why": "The help desk drowns above that"},
}


def add(client: Client, **typed: str) -> Any:
    return client.post("/alerts/rules/new/add/", {**TYPED, **typed})


def tried(client: Client, **typed: str) -> str:
    page = client.post("/alerts/rules/new/try/", {**TYPED, **typed})
    assert_clean(page)
    return " ".join(page.content.decode().split())


def minutes(gateway: Gateway, *bad: int) -> None:
    """A day of minutes with no error but in these, counted back from now."""
    now = int(time.time()) // 60 * 60
    about = {**ZERO, "gateway": gateway, "span": 60, "slot": 1, "seconds": 60.0, "sessions": 20}
    rows = [Reading(**{**about, "at": now - 60 * n, "errors": 9 if n in bad else 0}) for n in range(240)]
    Reading.objects.bulk_create(rows)


def test_it_is_added_with_who_and_why_and_stands_on_the_page(browse: Browse) -> None:
    assert add(browse("operator")).headers["Location"] == "/alerts/rules/own-many-departures/0/"
    row = AlarmRule.objects.get()
    assert (row.code, row.version, row.made_by.username) == ("own-many-departures", 1, "operator")
    event = AuditEvent.objects.get(verb="rule.changed")
    assert (event.actor, event.reason) == ("operator", TYPED["why"])
    for path in ("/alerts/rules/", "/alerts/rules/own-many-departures/0/", "/alerts/silences/"):
        page = browse("operator").get(path)
        assert_clean(page)
        assert "Many departures" in page.content.decode()


def test_a_second_one_of_this_name_is_refused_and_changes_nothing(browse: Browse) -> None:
    add(browse("operator"))
    again = add(browse("operator"), threshold="7")
    assert again.status_code == 409
    assert "There is a rule “Many departures” already" in again.content.decode()
    assert AlarmRule.objects.get().spec["threshold"] == 2.0


@pytest.mark.parametrize(
    ("typed", "say"),
    [
        ({"title": "x"}, "A rule is called something of 3 to 60 letters."),
        ({"threshold": "many"}, "The threshold must be a number"),
        ({"clears_at": "3"}, "It must clear at the threshold (2) or below"),
        ({"metric": "weather"}, "The metric must be one of"),
        ({"why": " "}, "Say why"),
        ({"place": "99"}, "There is no such pool"),
    ],
)
def test_what_can_not_be_is_said_and_what_was_typed_stays(browse: Browse, typed: dict[str, str], say: str) -> None:
    page = add(browse("operator"), **typed)
    assert page.status_code == 409
    assert say in page.content.decode()
    assert 'value="120"' not in page.content.decode(), "what was typed stands there, not the blank form"
    assert not AlarmRule.objects.exists()


def test_only_who_may_change_rules_adds_one_and_nobody_by_a_link(browse: Browse) -> None:
    assert add(browse("auditor")).status_code == 409
    assert browse("operator").get("/alerts/rules/new/add/").status_code == 405
    tried_by_one = browse("auditor").post("/alerts/rules/new/try/", TYPED)
    assert tried_by_one.status_code == 409, "it would name gateways of every pool"
    assert not AlarmRule.objects.exists()
    page = browse("auditor").get("/alerts/rules/new/")
    assert_clean(page)
    assert "Add the rule" not in page.content.decode()


def test_the_last_day_says_how_often_it_would_have_fired(browse: Browse) -> None:
    first, second = measured(2)
    minutes(first, 100, 101, 102, 50, 51, 52, 30, 10, 11, 12)
    minutes(second)
    said = tried(browse("operator"))
    assert "It would have fired 3 times in the last 24 h, on gw-00; last at" in said
    assert "tried on 2 gateways" in said
    assert "It would not have fired" in tried(browse("operator"), threshold="90", clears_at="80")
    assert "is not kept, so it can’t be tried" in tried(browse("operator"), metric="silent")
    assert not AlarmRule.objects.exists()


def test_it_is_judged_where_it_stands_and_called_by_its_name(browse: Browse) -> None:
    here, there = measured(1), measured(1, on=factories.pool("us"), begin=1)
    client = browse("operator")
    factories.person("operator", ("view_pool",), factories.pool("us"))
    assert add(client, place=str(factories.pool("us").pk), for_seconds="0").status_code == 302
    assert [rule.code for rule in rule_store.standing().of(factories.pool("us").pk)][-1] == "own-many-departures"
    read([*here, *there], errors=1)
    for gateway in (*here, *there):
        answered(gateway, NOW)
    watch.look({}, now=NOW)
    row = Alert.objects.get(details__rule="own-many-departures")
    assert row.details["about"] == "Many departures · us"
    assert row.say == "More than 2 errors of sessions a minute on 1 gateway: gw-01."
