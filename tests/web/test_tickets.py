"""Complaints on pages: the list, one by hand, closing one, and the systems that report."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import AuditEvent
from fleet.models import Gateway, Ticket, TicketSource
from tests import factories
from tests.sights_noc import complaints
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
FORM = {"text": "It is slow.", "user": "alice", "address": "", "at": ""}
SOURCE = {"name": "noc", "kind": "json", "mapping": "id = number", "why": "The desk of the NOC"}


@pytest.fixture
def gateway() -> Gateway:
    return factories.fleet()[0]


def path(gateway: Gateway) -> str:
    return f"/gateways/{gateway.pk}/complaint/report/"


def test_a_complaint_by_hand_is_written_down_with_who(browse: Browse, gateway: Gateway) -> None:
    answer = browse("operator").post(path(gateway), FORM)
    assert (answer.status_code, answer["Location"]) == (302, f"/tickets/?gateway={gateway.name}")
    ticket = Ticket.objects.get()
    assert (ticket.gateway, ticket.user, ticket.text, ticket.reported_by) == (
        gateway,
        "alice",
        FORM["text"],
        "operator",
    )
    event = AuditEvent.objects.get(verb="ticket.reported")
    assert (event.actor, event.subject) == ("operator", f"ticket:{ticket.pk}")


def test_the_same_form_twice_is_one_complaint(browse: Browse, gateway: Gateway) -> None:
    client = browse("operator")
    client.post(path(gateway), FORM)
    again = client.post(path(gateway), FORM)
    assert again.status_code == 409
    assert b"This complaint is there already." in again.content
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": " "}, b"Say what the user complains of."),
        ({"at": "soon"}, b"is no time"),
        ({"user": "x" * 121}, b"121"),
    ],
)
def test_bad_input_is_refused_and_not_lost(
    browse: Browse, gateway: Gateway, change: dict[str, str], said: bytes
) -> None:
    answer = browse("operator").post(path(gateway), FORM | {"address": "198.51.100.7"} | change)
    assert answer.status_code == 409
    assert said in answer.content
    assert b"198.51.100.7" in answer.content
    assert not Ticket.objects.exists()


def test_who_may_not_report_is_told_and_get_writes_nothing(browse: Browse, gateway: Gateway) -> None:
    answer = browse("auditor").post(path(gateway), FORM)
    assert answer.status_code == 409
    assert b"needs the right" in answer.content
    assert browse("stranger").post(path(gateway), FORM).status_code == 404
    assert browse("operator").get(path(gateway)).status_code == 405
    assert not Ticket.objects.exists()


def test_a_complaint_is_closed_once(browse: Browse) -> None:
    complaints()
    ticket = Ticket.objects.get(user="k.zuse")
    close = f"/tickets/{ticket.pk}/close/"
    assert browse("operator").get(close).status_code == 405
    assert browse("auditor").post(close).status_code == 409
    assert browse("stranger").post(close).status_code == 404
    assert browse("operator").post(close).status_code == 302
    ticket.refresh_from_db()
    assert ticket.closed_at is not None
    again = browse("operator").post(close)
    assert (again.status_code, b"It was closed already." in again.content) == (409, True)
    event = AuditEvent.objects.get(verb="ticket.closed", subject=f"ticket:{ticket.pk}")
    assert event.actor == "operator"


def test_the_list_is_filtered(browse: Browse) -> None:
    gateway = Gateway.objects.get(pk=complaints())
    client = browse("operator")
    whole = client.get("/tickets/")
    assert_clean(whole)
    assert b"3 complaints" in whole.content
    for wish, number in (
        ("q=lovelace", 1),
        ("state=closed", 1),
        ("source=noc-desk", 2),
        ("source=-", 1),
        ("pool=nowhere", 0),
        (f"gateway={gateway.name}", 2),
        ("release=1.3.0-2", 1),
        ("q=nobody", 0),
        ("days=1", 3),
    ):
        said = f"{number} complaint{'' if number == 1 else 's'}".encode()
        assert said in client.get(f"/tickets/?{wish}").content, wish


def test_nobody_sees_complaints_of_other_pools(browse: Browse) -> None:
    complaints()
    page = browse("stranger").get("/tickets/")
    assert page.status_code == 200
    assert b"Calls break off" not in page.content
    assert b"noc-desk" not in browse("stranger").get("/tickets/sources/").content
    assert b"Calls break off" in browse("auditor").get("/tickets/").content


def test_the_gateways_page_shows_them(browse: Browse) -> None:
    pk = complaints()
    page = browse("operator").get(f"/gateways/{pk}/")
    assert b"2 complaints in 7 days." in page.content
    assert f'href="/gateways/{pk}/complaint/"'.encode() in page.content
    assert b"Report a complaint" not in browse("auditor").get(f"/gateways/{pk}/").content


def test_a_system_is_let_report_and_its_token_shown_once(browse: Browse) -> None:
    client, pool = browse("operator"), factories.pool()
    answer = client.post("/tickets/sources/add/", SOURCE | {"pool": str(pool.pk)})
    assert answer.status_code == 201
    assert b"handover-noc-" in answer.content
    assert_clean(answer)
    assert b"handover-noc-" not in client.get("/tickets/sources/").content
    event = AuditEvent.objects.get(verb="ticket_source.added")
    assert (event.actor, event.reason) == ("operator", SOURCE["why"])
    again = client.post("/tickets/sources/add/", SOURCE | {"pool": str(pool.pk)})
    assert (again.status_code, TicketSource.objects.count()) == (409, 1)
    assert b"choose another name" in again.content


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "NOC desk"}, b"small letters"),
        ({"kind": "xml"}, b"Choose JSON or Alertmanager."),
        ({"mapping": "who = me"}, b"no field"),
        ({"why": ""}, b"Say why"),
        ({"pool": ""}, b"on all pools"),
        ({"pool": "4711"}, b"no such pool"),
    ],
)
def test_a_system_that_can_not_be_is_refused(browse: Browse, change: dict[str, str], said: bytes) -> None:
    answer = browse("operator").post("/tickets/sources/add/", SOURCE | {"pool": str(factories.pool().pk)} | change)
    assert answer.status_code == 409
    assert said in answer.content
    assert not TicketSource.objects.exists()


def test_a_system_is_let_go_once_and_by_who_may(browse: Browse) -> None:
    complaints()
    source = TicketSource.objects.get()
    end = f"/tickets/sources/{source.pk}/end/"
    assert browse("operator").get(end).status_code == 405
    assert browse("stranger").post(end, {"why": "x"}).status_code == 404
    for name, why in (("auditor", "x"), ("operator", "")):
        assert browse(name).post(end, {"why": why}).status_code == 409
    assert browse("operator").post(end, {"why": "It is replaced"}).status_code == 302
    again = browse("operator").post(end, {"why": "It is replaced"})
    assert (again.status_code, b"let go already" in again.content) == (409, True)
    assert AuditEvent.objects.get(verb="ticket_source.ended").reason == "It is replaced"
    assert TicketSource.objects.get().ended_at is not None
    assert timezone.now() > source.added_at


def test_adding_refuses_get_and_who_may_not(browse: Browse) -> None:
    assert browse("operator").get("/tickets/sources/add/").status_code == 405
    answer = browse("auditor").post("/tickets/sources/add/", SOURCE | {"pool": str(factories.pool().pk)})
    assert (answer.status_code, TicketSource.objects.exists()) == (409, False)
