"""Alerts on the device in one's hand, and what makes the dashboard one that can be installed."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.test import Client

from approvals.models import User
from fleet.alarms import signing
from fleet.models import Contact, Credential
from tests.db.fleet.alarms.test_devices import said
from tests.web.conftest import assert_clean

Browse = Callable[[str], Client]


def test_turned_on_and_off_by_who_holds_it(browse: Browse, people: dict[str, User]) -> None:
    client = browse("oncall")
    form = {"subscription": said(), "name": "Phone", "severity": "critical"}
    assert client.get("/alerts/device/on/").status_code == 405
    assert client.post("/alerts/device/on/", form).status_code == 302
    row = Contact.objects.get(person=people["oncall"])
    assert (row.name, row.kind, row.severity) == ("oncall: Phone", "push", "critical")
    page = client.get("/alerts/device/")
    assert_clean(page)
    assert "oncall: Phone" in page.content.decode()
    assert browse("operator").post(f"/alerts/device/{row.pk}/off/").status_code == 404
    for _ in range(2):
        assert client.post(f"/alerts/device/{row.pk}/off/").status_code == 302
    row.refresh_from_db()
    assert row.retired_at is not None
    assert not Credential.objects.filter(name=signing.seal_name(row)).exists()


def test_what_the_browser_did_not_say_is_refused_and_the_name_is_kept(browse: Browse, people: dict[str, User]) -> None:
    page = browse("oncall").post("/alerts/device/on/", {"subscription": "", "name": "My phone", "severity": "warning"})
    assert page.status_code == 409
    assert "did not say where it takes messages" in page.content.decode()
    assert 'value="My phone"' in page.content.decode()


def test_it_can_be_installed_before_anybody_has_signed_in(client: Client) -> None:
    told = json.loads(client.get("/manifest.webmanifest").content)
    assert (told["start_url"], told["display"], len(told["icons"])) == ("/", "standalone", 3)
    worker = client.get("/sw.js")
    assert (worker.status_code, worker["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert b"showNotification" in worker.content
    assert "worker-src 'self'" in worker["Content-Security-Policy"]
