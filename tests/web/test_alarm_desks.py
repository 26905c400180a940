"""Rules and contacts in a browser; six questions for each thing that may be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from approvals.models import AuditEvent
from fleet import sealed
from fleet.alarms import signing
from fleet.alarms.rules import DEFAULTS
from fleet.models import AlarmRule, Contact, Credential, Delivery
from tests import factories
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
TYPED = {
    **{name: str(value) for name, value in DEFAULTS["memory"].spec.items() if name not in ("enabled", "metric")},
    **{"enabled": "yes", "version": "0", "why": "Our gateways have 8 GiB", "threshold": "4096"},
}
PATH = "/alerts/rules/memory/0/"


def change(client: Client, path: str = PATH, **typed: str) -> Any:
    return client.post(f"{path}change/", {**TYPED, **typed})


def text(page: Any) -> str:
    return " ".join(page.content.decode().split())


def test_every_rule_is_shown_with_its_numbers(browse: Browse) -> None:
    page = browse("auditor").get("/alerts/rules/")
    assert_clean(page)
    for code, shipped in DEFAULTS.items():
        assert f'href="/alerts/rules/{code}/0/"' in text(page)
        assert shipped.title in text(page)
    assert "More than 20 % of sign-ins fail for 1 min" in text(page)


def test_a_rule_is_changed_with_who_why_and_a_version(browse: Browse) -> None:
    assert change(browse("operator")).status_code == 302
    row = AlarmRule.objects.get()
    assert (row.version, row.spec["threshold"], row.made_by.username) == (1, 4096.0, "operator")
    event = AuditEvent.objects.get(verb="rule.changed")
    assert (event.actor, event.reason) == ("operator", "Our gateways have 8 GiB")
    assert change(browse("operator"), version="1", threshold="3000").status_code == 302
    assert list(AlarmRule.objects.values_list("version", "current")) == [(2, True), (1, False)]
    page = browse("auditor").get(PATH)
    assert_clean(page)
    assert "Our gateways have 8 GiB" in text(page)


def test_the_same_change_again_makes_no_version(browse: Browse) -> None:
    for _ in range(2):
        assert change(browse("operator")).status_code == 302
    assert AlarmRule.objects.count() == 1


def test_a_change_of_what_somebody_changed_meanwhile_is_refused(browse: Browse) -> None:
    change(browse("operator"))
    page = change(browse("operator"), threshold="5000")
    assert page.status_code == 409
    assert "Somebody changed it meanwhile: it is at version 1 now, you looked at 0." in text(page)


@pytest.mark.parametrize(
    ("typed", "say"),
    [
        ({"threshold": "much"}, "The threshold must be a number from 0 up; it is “much”."),
        ({"clears_at": "9000"}, "It must clear at the threshold (4096) or below"),
        ({"window_seconds": "1"}, "60 to 900 s"),
        ({"severity": "loud"}, "one of critical, warning"),
        ({"why": ""}, "Say why"),
    ],
)
def test_a_bad_rule_is_refused_and_loses_nothing(browse: Browse, typed: dict[str, str], say: str) -> None:
    page = change(browse("operator"), for_seconds="77", **typed)
    assert (page.status_code, AlarmRule.objects.count()) == (409, 0)
    assert say in text(page)
    assert 'value="77"' in text(page)


def test_who_has_no_right_sees_no_form_and_changes_nothing(browse: Browse) -> None:
    assert "<form" not in browse("auditor").get(PATH).content.decode().partition("<main")[2].partition("</main")[0]
    page = change(browse("auditor"))
    assert (page.status_code, AlarmRule.objects.count()) == (409, 0)
    assert "you lack the right" in text(page)


def test_a_pool_has_a_rule_of_its_own(browse: Browse) -> None:
    pool = factories.pool()
    assert change(browse("operator"), f"/alerts/rules/memory/{pool.pk}/").status_code == 302
    assert AlarmRule.objects.get().pool == pool
    assert f"{pool.name} only" in text(browse("auditor").get("/alerts/rules/"))
    assert browse("stranger").get(f"/alerts/rules/memory/{pool.pk}/").status_code == 404


@pytest.mark.parametrize(
    "path", ["rules/memory/0/change/", "contacts/add/", "contacts/1/retire/", "contacts/1/try/", "contacts/1/secret/"]
)
def test_nothing_is_done_by_a_link(browse: Browse, path: str) -> None:
    assert browse("operator").get(f"/alerts/{path}").status_code == 405


ADDRESS = "https://noc.example.org/hooks/T0KEN-abcdef"


def add(client: Client, **typed: str) -> Any:
    said = {"name": "NOC", "address": ADDRESS, "pool": "", "severity": "critical", "after": "0", "again": "30"}
    return client.post("/alerts/contacts/add/", {**said, **typed})


def test_a_contact_is_added_and_its_address_is_sealed_and_never_shown(browse: Browse) -> None:
    added = add(browse("operator"))
    row = Contact.objects.get()
    secret = sealed.unseal(f"contact:{row.pk}:secret")
    assert (added.status_code, secret.decode() in text(added)) == (201, True)
    assert sealed.unseal(f"contact:{row.pk}").decode() == ADDRESS
    page = browse("operator").get("/alerts/contacts/")
    assert_clean(page)
    assert "Webhook by noc.example.org" in text(page)
    event = AuditEvent.objects.get(verb="contact.added")
    assert event.actor == "operator"
    for shown in (text(page), event.body, text(browse("operator").get("/credentials/"))):
        assert "T0KEN" not in shown
        assert secret.decode() not in shown


def test_a_webhook_gets_another_secret_and_the_one_before_signs_for_a_while(browse: Browse) -> None:
    add(browse("operator"))
    row = Contact.objects.get()
    first, path = signing.secrets_of(row, row.made_at), f"/alerts/contacts/{row.pk}/secret/"
    form = {"hours": "24", "seen": signing.version(row)}
    assert browse("oncall").post(path, form).status_code == 409
    page = browse("operator").post(path, form)
    assert_clean(page)
    row.refresh_from_db()
    now = timezone.now()
    assert signing.secrets_of(row, now)[1:] == first
    assert signing.secrets_of(row, now + timedelta(hours=24)) == signing.secrets_of(row, now)[:1]
    assert (page.status_code, signing.secrets_of(row, now)[0] in text(page)) == (201, True)
    assert AuditEvent.objects.get(verb="contact.secret").actor == "operator"
    again = browse("operator").post(path, form)
    assert (again.status_code, "was given another secret meanwhile" in text(again)) == (409, True)
    assert browse("operator").post(path, {**form, "hours": "5"}).status_code == 409


@pytest.mark.parametrize(
    ("typed", "say"),
    [
        ({"address": "gopher://noc.example.org/T0KEN-abcdef"}, "The address must begin with one of"),
        ({"address": "json://169.254.169.254/T0KEN-abcdef"}, "nothing is ever sent there"),
        ({"address": "https://10.0.0.7/T0KEN-abcdef"}, "HANDOVER_ALERTS_TO=10.0.0.7"),
        ({"address": "json://[fe80::1]/T0KEN-abcdef"}, "nothing is ever sent there"),
        ({"address": "slack://T0KEN-abcdef"}, "Slack"),
        ({"name": ""}, "Give it a name"),
        ({"after": "soon"}, "Minutes are a whole number"),
        ({"severity": "loud"}, "Say whether it gets everything"),
        ({"pool": "99999"}, "There is no such pool"),
    ],
)
def test_a_bad_contact_is_refused_without_repeating_its_address(
    browse: Browse, typed: dict[str, str], say: str
) -> None:
    page = add(browse("operator"), **typed)
    assert (page.status_code, Contact.objects.count(), Credential.objects.count()) == (409, 0, 0)
    assert say in text(page)
    assert "T0KEN" not in text(page)


def test_a_second_contact_of_that_name_is_refused(browse: Browse) -> None:
    add(browse("operator"))
    assert "There is a contact NOC already" in text(add(browse("operator")))


@pytest.mark.parametrize("path", ["add/", "{pk}/retire/", "{pk}/try/"])
def test_who_has_no_right_changes_no_contact(browse: Browse, path: str) -> None:
    add(browse("operator"))
    pk = Contact.objects.get().pk
    said = {"name": "x", "address": ADDRESS, "severity": "warning"}
    page = browse("oncall").post(f"/alerts/contacts/{path.format(pk=pk)}", said)
    assert (page.status_code, Contact.objects.filter(retired_at=None).count()) == (409, 1)
    assert "you lack the right" in text(page)


def test_a_contact_is_retired_once_and_its_address_forgotten(browse: Browse) -> None:
    add(browse("operator"))
    path = f"/alerts/contacts/{Contact.objects.get().pk}/retire/"
    assert browse("operator").post(path).status_code == 302
    assert not Credential.objects.exists()
    page = browse("operator").post(path)
    assert (page.status_code, "NOC is retired already" in text(page)) == (409, True)
    assert AuditEvent.objects.filter(verb="contact.retired", actor="operator").count() == 1


def test_a_test_message_is_asked_for_once_while_it_waits(browse: Browse) -> None:
    add(browse("operator"))
    row = Contact.objects.get()
    for _ in range(2):
        page = browse("operator").post(f"/alerts/contacts/{row.pk}/try/")
        assert page.headers["Location"] == f"/alerts/deliveries/?contact={row.pk}"
    assert (Delivery.objects.get().what, AuditEvent.objects.filter(verb="contact.tried").count()) == ("test", 1)
    Contact.objects.update(retired_at=row.made_at)
    assert browse("operator").post(f"/alerts/contacts/{row.pk}/try/").status_code == 409


def test_without_a_contact_the_page_says_that_nobody_is_told(browse: Browse) -> None:
    page = browse("auditor").get("/alerts/contacts/")
    assert_clean(page)
    assert "Nobody is told of any alert" in text(page)
