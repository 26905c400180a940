"""Alerts: what differs is seen, adopted by two, put back by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from approvals.models import AuditEvent, Request, User
from fleet import alerts
from fleet.drift import Difference
from fleet.inventory import Login
from fleet.models import Agreement, Alert, Errand, Gateway
from tests import factories as f
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]
DIFF = "--- agreed\n+++ on the host\n@@ -1,2 +1,2 @@\n auth = plain\n-max-clients = 16\n+max-clients = 1024\n"
WAS, NOW = "a" * 64, "b" * 64
CONF = Difference("conf", "/etc/ocserv/ocserv.conf on fra-gw-01 was edited.", WAS, NOW, DIFF)
KEYS = Difference("keys", "The keys of fra-gw-01 were changed.", WAS, NOW)
TRUST = Difference("trust", "Who may sign for fra-gw-01 was changed.", WAS, NOW)


@pytest.fixture
def gateway(people: dict[str, User]) -> Gateway:
    assign_perm("fleet.enrol_gateway", people["operator"], f.pool())
    assign_perm("fleet.approve_gateway", people["oncall"], f.pool())
    return f.gateway("fra-gw-01")


def drifted(gateway: Gateway, *found: Difference) -> Alert:
    logins = [Login("root", "192.0.2.9", f.NOON.timestamp() - 60)]
    alerts.note(gateway, found, logins=logins, now=f.NOON)
    return Alert.objects.get(gateway=gateway, code=found[0].code)


def press(client: Client, alert: Alert, action: str, **fields: Any) -> Any:
    return client.post(f"/alerts/{alert.pk}/{action}/", {"reason": "said by a test"} | fields)


def decide(client: Client, asked: Request, answer: str = "approve") -> Any:
    return client.post(f"/changes/{asked.pk}/{answer}/", {"digest": asked.digest, "reason": "looked at it"})


@pytest.mark.parametrize("path", ["/alerts/", "/alerts/{alert}/", "/gateways/{gateway}/", "/gateways/", "/"])
def test_it_is_seen_where_one_looks(browse: Browse, gateway: Gateway, path: str) -> None:
    alert = drifted(gateway, CONF)
    page = browse("operator").get(path.format(alert=alert.pk, gateway=gateway.pk))
    assert page.status_code == 200
    assert f"/alerts/{'' if path == '/gateways/' else alert.pk}" in page.content.decode()
    assert_clean(page)


def test_what_only_approvers_may_agree_to_leads_to_its_configuration(browse: Browse, gateway: Gateway) -> None:
    hard = DIFF.replace("max-clients", "connect-script")
    alert = drifted(gateway, Difference("conf", "It was edited.", WAS, NOW, hard))
    page = browse("operator").get(f"/alerts/{alert.pk}/")
    assert_clean(page)
    said = page.content.decode()
    link = f"/configs/?pool={gateway.pool_id}&amp;gateway=fra-gw-01#config-add"
    assert f'Propose the file as a configuration, have it signed, and roll it out. <a href="{link}">' in said
    answer = press(browse("operator"), alert, "adopt")
    assert (answer.status_code, Request.objects.exists()) == (409, False)
    assign_perm("fleet.propose_config", User.objects.get(username="operator"), f.pool())
    form = browse("operator").get(link.replace("&amp;", "&")).content.decode()
    assert re.search(r'name="gateway"[^>]*value="fra-gw-01"', form)


def test_the_page_shows_the_difference_and_who_was_there(browse: Browse, gateway: Gateway) -> None:
    page = browse("oncall").get(f"/alerts/{drifted(gateway, CONF).pk}/").content.decode()
    assert "max-clients = 1024" in page
    assert "192.0.2.9" in page
    assert "act-put-back" not in page  # it is not his to do


def test_a_stranger_learns_nothing(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, CONF)
    assert browse("stranger").get(f"/alerts/{alert.pk}/").status_code == 404
    assert press(browse("stranger"), alert, "put-back").status_code == 404
    assert "fra-gw-01" not in browse("stranger").get("/alerts/").content.decode()


def test_putting_back_sends_an_errand_and_records_who_and_why(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, CONF)
    assert press(browse("operator"), alert, "put-back").status_code == 302
    errand = Errand.objects.get()
    assert (errand.kind, errand.args, errand.gateway) == ("agree", {"conf": WAS}, gateway)
    event = AuditEvent.objects.get(verb="drift.put_back")
    assert (event.actor, event.reason) == ("operator", "said by a test")
    assert "It is being put back" in browse("operator").get(f"/alerts/{alert.pk}/").content.decode()


def test_putting_back_twice_is_refused_with_the_sentence(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, CONF)
    press(browse("operator"), alert, "put-back")
    again = press(browse("operator"), alert, "put-back")
    assert again.status_code == 409
    assert "It is being put back already." in again.content.decode()
    assert Errand.objects.count() == 1


@pytest.mark.parametrize("action", ["adopt", "put-back"])
def test_who_lacks_the_right_is_refused_with_its_name(browse: Browse, gateway: Gateway, action: str) -> None:
    page = press(browse("oncall"), drifted(gateway, CONF), action)
    assert page.status_code == 409
    assert "fleet.enrol_gateway" in page.content.decode()
    assert not Errand.objects.exists()
    assert not Request.objects.exists()


@pytest.mark.parametrize("action", ["adopt", "put-back"])
def test_a_get_does_nothing(browse: Browse, gateway: Gateway, action: str) -> None:
    assert browse("operator").get(f"/alerts/{drifted(gateway, CONF).pk}/{action}/").status_code == 405


@pytest.mark.parametrize("action", ["adopt", "put-back"])
def test_a_reason_is_needed(browse: Browse, gateway: Gateway, action: str) -> None:
    page = press(browse("operator"), drifted(gateway, CONF), action, reason=" ")
    assert page.status_code == 422
    assert "Say why" in page.content.decode()


@pytest.mark.parametrize("action", ["adopt", "put-back"])
def test_what_is_over_is_refused(browse: Browse, gateway: Gateway, action: str) -> None:
    alert = drifted(gateway, CONF)
    alerts.note(gateway, [], now=f.NOON)
    page = press(browse("operator"), alert, action)
    assert page.status_code == 409
    assert "This is over since" in page.content.decode()


def test_what_only_signers_can_put_back_says_so(browse: Browse, gateway: Gateway) -> None:
    page = press(browse("operator"), drifted(gateway, TRUST), "put-back")
    assert page.status_code == 409
    assert "a statement that those pinned on it have signed" in page.content.decode()


def test_adopting_needs_a_second_person_and_then_it_is_agreed(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, KEYS)
    assert press(browse("operator"), alert, "adopt").status_code == 302
    asked = Request.objects.get(kind="drift.adopt")
    assert asked.summary["payload"] == {"alert": alert.pk, "gateway": "fra-gw-01", "code": "keys", "sha256": NOW}
    assert decide(browse("oncall"), asked).status_code == 302
    assert Agreement.objects.get(gateway=gateway, code="keys").value == NOW
    alert.refresh_from_db()
    assert alert.ended_why == "It was adopted: operator asked to adopt it, oncall agreed."


def test_an_adopted_configuration_is_the_gateways_to_take(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, CONF)
    press(browse("operator"), alert, "adopt")
    decide(browse("oncall"), Request.objects.get(kind="drift.adopt"))
    errand = Errand.objects.get()
    assert (errand.kind, errand.args) == ("adopt_conf", {"sha256": NOW})


def test_a_yes_to_something_else_is_no_yes(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, KEYS)
    press(browse("operator"), alert, "adopt")
    drifted(gateway, Difference("keys", KEYS.say, WAS, "c" * 64))
    page = decide(browse("oncall"), Request.objects.get(kind="drift.adopt"))
    assert page.status_code == 409
    assert "It has changed on fra-gw-01 since this was asked" in page.content.decode()
    assert not Agreement.objects.exists()


def test_nobody_adopts_alone(browse: Browse, gateway: Gateway, people: dict[str, User]) -> None:
    assign_perm("fleet.approve_gateway", people["operator"], f.pool())
    press(browse("operator"), drifted(gateway, KEYS), "adopt")
    assert decide(browse("operator"), Request.objects.get(kind="drift.adopt")).status_code == 409
    assert not Agreement.objects.exists()


def test_it_waits_for_those_who_may_act_until_somebody_did(browse: Browse, gateway: Gateway) -> None:
    alert = drifted(gateway, CONF)
    assert "Look and decide" in browse("operator").get("/").content.decode()
    for other in ("auditor", "oncall"):  # neither could do anything
        assert "Look and decide" not in browse(other).get("/").content.decode()
    press(browse("operator"), alert, "put-back")
    assert "Look and decide" not in browse("operator").get("/").content.decode()


def test_a_refused_errand_is_seen_and_asked_again(browse: Browse, gateway: Gateway) -> None:
    columns = {"kind": "crl", "subject": "crl:3", "state": "failed", "say": "fra-gw-01: no such CA."}
    errand = Errand.objects.create(gateway=gateway, due_at=f.NOON, created_at=f.NOON, **columns)
    page = browse("operator").get(f"/gateways/{gateway.pk}/").content.decode()
    assert "no such CA." in page
    path = f"/errands/{errand.pk}/again/"
    assert f'action="{path}"' in page
    assert browse("oncall").post(path).status_code == 409
    assert browse("stranger").post(path).status_code == 404
    assert browse("operator").get(path).status_code == 405
    assert browse("operator").post(path).status_code == 302
    assert browse("operator").post(path).status_code == 409
    assert Errand.objects.get().state == "due"


def test_a_plan_says_which_drift_it_goes_over(browse: Browse, gateway: Gateway) -> None:
    drifted(gateway, KEYS)
    what, how = f.release(), f.strategy()
    fields = {"release": what.pk, "pool": gateway.pool_id, "strategy": how.pk}
    plain = browse("operator").get("/rollouts/new/", fields).content.decode()
    assert "Include the drift of 1 gateway" in plain
    assert "can&#x27;t be submitted as it is" in plain
    page = browse("operator").post("/rollouts/new/", {**fields, "drift": "1"}, follow=True)
    assert "This goes over the drift of 1 gateway: fra-gw-01" in page.content.decode()
    assert_clean(page)
