"""Quiet loss as people see it: on the gateway's page, on the release's, and as an alert."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.utils import timezone

from fleet.models import Gateway, QuietLoss, QuietWatch
from tests import factories
from tests.sights_noc import RELEASE, quiet
from tests.web.conftest import assert_clean
from upgrader import calls

Browse = Callable[[str], Client]


def test_the_gateways_page_says_what_and_since_when(browse: Browse) -> None:
    gateway = Gateway.objects.get(pk=quiet())
    page = browse("oncall").get(f"/gateways/{gateway.pk}/")
    text = page.content.decode()
    assert f"Memory a session on {gateway.name} grows 3.1 % an hour since " in text
    assert f"40 min after {RELEASE} began to serve; on 6 gateways of the pool" in text
    assert "1 loss that ended" in text
    assert "6 measures of the last look" in text
    assert_clean(page)


def test_a_gateway_that_is_well_and_one_that_nobody_looked_at_say_so(browse: Browse) -> None:
    gateway = Gateway.objects.get(pk=quiet())
    other = Gateway.objects.exclude(pk=gateway.pk).first()
    assert other is not None
    assert b"Not looked at" in browse("oncall").get(f"/gateways/{other.pk}/").content
    QuietLoss.objects.all().delete()
    assert b"No quiet loss" in browse("oncall").get(f"/gateways/{gateway.pk}/").content


def test_the_releases_page_names_the_gateways(browse: Browse) -> None:
    gateway = Gateway.objects.get(pk=quiet())
    release = factories.release(RELEASE)
    page = browse("oncall").get(f"/releases/{release.pk}/")
    assert f"It got worse on 1 of 1 gateway that served it: {gateway.name}." in page.content.decode()
    QuietLoss.objects.all().delete()
    assert b"Nothing got worse on 1 gateway" in browse("oncall").get(f"/releases/{release.pk}/").content
    QuietWatch.objects.all().delete()
    assert b"nothing is known yet" in browse("oncall").get(f"/releases/{release.pk}/").content


def test_a_release_does_not_tell_of_gateways_that_one_may_not_see(browse: Browse) -> None:
    gateway = Gateway.objects.get(pk=quiet())
    release = factories.release(RELEASE)
    elsewhere = factories.pool("elsewhere")
    Gateway.objects.filter(pk=gateway.pk).update(pool=elsewhere)
    assert gateway.name.encode() not in browse("oncall").get(f"/releases/{release.pk}/").content
    assert browse("oncall").get(f"/gateways/{gateway.pk}/").status_code == 404


def test_the_alert_leads_to_the_gateway(browse: Browse) -> None:
    pk = quiet()
    calls.note(now=timezone.now())
    page = browse("oncall").get("/alerts/")
    assert b"Quiet loss" in page.content
    assert f'href="/gateways/{pk}/#quiet"'.encode() in page.content
    assert_clean(page)
