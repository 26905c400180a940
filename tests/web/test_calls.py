"""What calls a person stands among the alerts with the link to its decision, and is counted once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from fleet import alerts, call_pages
from fleet.models import Alert, Gateway
from tests.scenes import scene
from tests.web.conftest import assert_clean
from upgrader import calls
from upgrader.models import Budget

Browse = Callable[[str], Client]


def counted(client: Client) -> int:
    found = re.search(r'data-count="(\d+)"', client.get("/inbox/").content.decode())
    assert found
    return int(found[1])


def text(client: Client, path: str) -> str:
    page = client.get(path)
    assert page.status_code == 200
    assert_clean(page)
    return " ".join(page.content.decode().split())


@pytest.mark.parametrize(
    ("name", "do", "who"), [("back_asked", "agree-back", "oncall"), ("late", "extend", "operator")]
)
def test_the_list_leads_to_the_exact_decision(browse: Browse, name: str, do: str, who: str) -> None:
    rollout, client = scene(name).rollout, browse(who)
    before = counted(client)
    calls.note(now=timezone.now())
    page = text(client, "/alerts/")
    assert f'<a class="button go" href="/decisions/{rollout.pk}/?do={do}">Look and decide</a>' in page
    assert text(client, f"/decisions/{rollout.pk}/?do={do}")
    assert counted(client) == before == 1  # the rollout itself waits for this person already


def test_a_call_is_nobodys_to_see_who_may_not_see_the_pool(browse: Browse) -> None:
    rollout = scene("back_asked").rollout
    calls.note(now=timezone.now())
    assert f"/decisions/{rollout.pk}/" not in text(browse("stranger"), "/alerts/")
    alert = Alert.objects.get(kind="rollback")
    assert browse("stranger").get(f"/alerts/{alert.pk}/").status_code == 404
    assert browse("auditor").get(f"/alerts/{alert.pk}/").headers["Location"] == alert.link


def test_a_budget_that_outages_use_up_needs_on_call(browse: Browse) -> None:
    scene("planned")
    Budget.objects.filter(pool=None).update(gateways_percent=25)
    Gateway.objects.filter(name__startswith="fra").update(state=Gateway.State.UNREACHABLE)
    before = counted(browse("oncall"))
    calls.note(now=timezone.now())
    said = "2 gateways are out, and 1 of 4 gateways of the fleet may be out (25 %): fra-gw-01 and fra-gw-02"
    assert said in text(browse("oncall"), "/")
    assert said in text(browse("oncall"), "/alerts/")
    assert counted(browse("oncall")) == before + 1
    assert said not in text(browse("auditor"), "/")  # he may look, and decides nothing
    assert said in text(browse("auditor"), "/alerts/")


def test_what_is_over_says_so_and_stays_in_the_list(browse: Browse) -> None:
    scene("back_asked")
    calls.note(now=timezone.now())
    alerts.settle([], now=timezone.now())
    page = text(browse("oncall"), "/alerts/")
    assert "Nobody has to decide on it any more." in page
    assert "Look and decide" not in page


def test_a_call_can_be_neither_adopted_nor_put_back(browse: Browse) -> None:
    scene("back_asked")
    calls.note(now=timezone.now())
    alert = Alert.objects.get(kind="rollback")
    for action in ("adopt", "put-back"):
        answer = browse("operator").post(f"/alerts/{alert.pk}/{action}/", {"reason": "x"})
        assert answer.status_code == 404
    assert Alert.objects.get(kind="rollback").ended_at is None


def test_every_kind_of_call_has_a_word() -> None:
    assert set(call_pages.WORDS) >= set(alerts.CALLS)
