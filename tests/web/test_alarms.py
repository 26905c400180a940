"""Alerts in a browser: acknowledging, silences, deliveries; six questions for each thing that may be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import AuditEvent
from fleet.models import Alert, Delivery, Notice, Silence
from tests import factories
from tests.db.fleet.alarms import world
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def alert() -> Alert:
    return world.alert(at=timezone.now() - timedelta(minutes=5))


def acknowledge(client: Client, row: Alert, **typed: Any) -> Any:
    return client.post(f"/alerts/{row.pk}/acknowledge/", {"say": "I look at RADIUS", **typed})


def text(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_the_list_shows_what_fires_and_who_looks_after_it(browse: Browse) -> None:
    row = alert()
    before = browse("oncall").get("/alerts/")
    assert_clean(before)
    assert "More than 20 % of sign-ins fail on 1 gateway: gw-00." in before.content.decode()
    assert ">Acknowledge</button>" in before.content.decode()
    acknowledge(browse("oncall"), row)
    after = browse("oncall").get("/alerts/").content.decode()
    assert "oncall looks after it" in after
    assert ">Acknowledge</button>" not in after


def test_what_fires_is_counted_until_somebody_looks_after_it(browse: Browse) -> None:
    row = alert()
    assert "needs-me" in browse("oncall").get("/").content.decode()
    assert "(1)" in browse("oncall").get("/").content.decode().partition("</title>")[0]
    acknowledge(browse("oncall"), row)
    assert "(1)" not in browse("oncall").get("/").content.decode().partition("</title>")[0]


def test_acknowledging_is_kept_with_who_and_what(browse: Browse) -> None:
    row = alert()
    assert acknowledge(browse("oncall"), row).status_code == 302
    notice = Notice.objects.get(alert=row)
    assert (notice.acked_by and notice.acked_by.username, notice.ack_say) == ("oncall", "I look at RADIUS")
    event = AuditEvent.objects.get(verb="alert.acknowledged")
    assert (event.actor, event.reason, event.subject) == ("oncall", "I look at RADIUS", row.subject)
    page = browse("auditor").get(f"/alerts/{row.pk}/told/")
    assert_clean(page)
    assert "oncall looks after it" in text(page)


def test_acknowledging_twice_is_once(browse: Browse) -> None:
    row = alert()
    acknowledge(browse("oncall"), row)
    acknowledge(browse("operator"), row, say="me too")
    assert Notice.objects.get(alert=row).ack_say == "I look at RADIUS"
    assert AuditEvent.objects.filter(verb="alert.acknowledged").count() == 1


def test_what_has_ended_can_not_be_acknowledged(browse: Browse) -> None:
    row = alert()
    world.end(row)
    page = acknowledge(browse("oncall"), row)
    assert page.status_code == 409
    assert "This alert has ended" in text(page)


def test_who_may_only_look_may_neither_acknowledge_nor_silence(browse: Browse) -> None:
    row = alert()
    assert acknowledge(browse("auditor"), row).status_code == 409
    page = silence(browse("auditor"), pool=row.pool_id)
    assert (page.status_code, Silence.objects.count()) == (409, 0)
    assert "You may not silence this" in text(page)
    assert acknowledge(browse("stranger"), row).status_code == 404


@pytest.mark.parametrize("path", ["{alert}/acknowledge/", "silences/begin/", "silences/1/end/", "deliveries/1/again/"])
def test_nothing_is_done_by_a_link(browse: Browse, path: str) -> None:
    assert browse("oncall").get(f"/alerts/{path.format(alert=alert().pk)}").status_code == 405


def silence(client: Client, **typed: Any) -> Any:
    said = {"what": "login-failures", "hours": "4", "why": "RADIUS is rebooted", "gateway": "", "rollout": ""}
    return client.post("/alerts/silences/begin/", {**said, **typed})


def test_a_silence_is_kept_with_who_why_and_its_end(browse: Browse) -> None:
    row = alert()
    assert silence(browse("oncall"), pool=row.pool_id).status_code == 302
    kept = Silence.objects.get()
    assert kept.ends_at - kept.begins_at == timedelta(hours=4)
    assert (kept.made_by.username, kept.reason) == ("oncall", "RADIUS is rebooted")
    assert AuditEvent.objects.get(verb="silence.begun").reason == "RADIUS is rebooted"
    page = browse("auditor").get("/alerts/silences/")
    assert_clean(page)
    assert "Sign-ins fail on eu-west" in text(page)
    assert "Silenced: nobody is told" in browse("auditor").get("/alerts/").content.decode()


@pytest.mark.parametrize(
    ("typed", "say"),
    [
        ({"hours": "soon"}, "Hours must be a whole number; “soon” is none."),
        ({"hours": "0"}, "A silence ends"),
        ({"hours": "999"}, "720 hours (30 days)"),
        ({"why": " "}, "Say why"),
        ({"gateway": "nowhere"}, "There is no gateway nowhere"),
        ({"what": "weather"}, "There is no such rule"),
        ({"pool": "99999"}, "There is no such pool"),
    ],
)
def test_a_bad_silence_is_refused_and_loses_nothing(browse: Browse, typed: dict[str, str], say: str) -> None:
    page = silence(browse("oncall"), **{"pool": str(factories.pool().pk), "why": "a long reason", **typed})
    assert (page.status_code, Silence.objects.count()) == (409, 0)
    assert say in text(page)
    assert 'value="a long reason"' in text(page) or typed.get("why")


def test_a_silence_is_ended_once_by_who_may(browse: Browse) -> None:
    silence(browse("oncall"), pool=factories.pool().pk)
    path = f"/alerts/silences/{Silence.objects.get().pk}/end/"
    assert browse("auditor").post(path).status_code == 409
    assert browse("operator").post(path).status_code == 302
    ended = Silence.objects.get().ended_by
    assert ended is not None
    assert ended.username == "operator"
    assert "over already" in text(browse("operator").post(path))
    assert AuditEvent.objects.filter(verb="silence.ended").count() == 1


def delivery(**more: Any) -> Delivery:
    about = {"what": "opened", "state": "failed", "answer": "550 no such user", "attempts": 24}
    when = {"due_at": world.AT, "created_at": world.AT, "settled_at": world.AT}
    return Delivery.objects.create(alert=alert(), contact=world.contact(), **{**about, **when, **more})


def test_what_was_given_up_is_sent_again_once_by_who_may(browse: Browse) -> None:
    row = delivery()
    path = f"/alerts/deliveries/{row.pk}/again/"
    assert browse("oncall").post(path).status_code == 409
    assert browse("operator").post(path).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("due", 0)
    assert AuditEvent.objects.get(verb="delivery.again").actor == "operator"
    assert "Only what failed can be sent again" in text(browse("operator").post(path))


def test_the_record_of_deliveries_shows_to_whom_and_the_answer(browse: Browse) -> None:
    row = delivery()
    for path in ("/alerts/deliveries/", f"/alerts/{row.alert_id}/told/", "/alerts/deliveries/?state=failed"):
        page = browse("auditor").get(path)
        assert_clean(page)
        assert "550 no such user" in text(page)
    assert "550" not in text(browse("auditor").get("/alerts/deliveries/?state=sent"))
    assert "550" not in text(browse("stranger").get("/alerts/deliveries/"))


def test_an_alarm_without_a_rollout_has_a_page_of_its_own(browse: Browse) -> None:
    row = alert()
    assert browse("oncall").get(f"/alerts/{row.pk}/").headers["Location"] == f"/alerts/{row.pk}/told/"
    assert browse("stranger").get(f"/alerts/{row.pk}/told/").status_code == 404
