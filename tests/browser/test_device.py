"""The installed dashboard in a real browser: its worker shows an alert and says so when there is no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import CDPSession, Page

from lab.commands import wait_until
from tests.browser.site import Site

Open = Callable[..., Page]
REGISTER = "() => navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => true)"
SHOWN = """async () => {
  const worker = await navigator.serviceWorker.ready;
  const found = await worker.getNotifications();
  return found.length ? found.map((one) => [one.title, one.body, one.tag, one.data.url]) : null;
}"""
ALERT = {"title": "Critical: Sign-ins fail · eu-west", "body": "4.1 % fail.", "url": "/alerts/", "tag": "alert-7"}


def registered(page: Page) -> tuple[CDPSession, str]:
    """The worker at work; a way to speak to it, and its number."""
    cdp = page.context.new_cdp_session(page)
    found: list[str] = []

    def seen(told: dict[str, Any]) -> None:
        found.extend(row["registrationId"] for row in told["registrations"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", seen)
    cdp.send("ServiceWorker.enable")
    assert page.evaluate(REGISTER)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    assert found
    return cdp, str(found[0])


def test_an_alert_is_shown_and_without_network_it_says_so(site: Site, open_as: Open, complaints: list[str]) -> None:
    site.scene("people")
    page = open_as("oncall", width=390)
    page.context.grant_permissions(["notifications"], origin=site.url)
    page.goto(f"{site.url}/alerts/device/")
    assert page.locator("form[data-device]").is_visible()
    cdp, number = registered(page)
    said = {"origin": site.url, "registrationId": number, "data": json.dumps(ALERT)}
    cdp.send("ServiceWorker.deliverPushMessage", said)
    # A function that answers later counts as true for wait_for_function at once.
    wait_until(lambda: bool(page.evaluate(SHOWN)), seconds=30, what="the notification")
    assert page.evaluate(SHOWN) == [[ALERT["title"], ALERT["body"], ALERT["tag"], ALERT["url"]]]
    assert not complaints
    page.context.set_offline(True)
    page.goto(f"{site.url}/alerts/")
    assert "does not reach the dashboard" in page.inner_text("body")
