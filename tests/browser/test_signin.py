"""A passkey from the first day to the copied one, in a real browser with an authenticator that the test holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.browser.screenshots import sign_in
from tests.browser.site import Site

pytestmark = pytest.mark.browser
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
WHY = "Read it twice"


def holding(page: Page) -> tuple[CDPSession, str]:
    """Give the page an authenticator; its id."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    return wire, str(wire.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"])


def add_passkey(page: Page, site: Site) -> None:
    """The account's page, a proof by password first, a name, and the codes that come with the first factor."""
    page.goto(f"{site.url}/account/")
    page.click("text=Add a passkey")
    page.fill("#name", "My phone")
    page.click("button.go")
    page.wait_for_url(f"{site.url}/account/recovery-codes/")
    expect(page.locator(".codes li")).to_have_count(10)
    page.click("text=I have kept them")
    expect(page.locator("main")).to_contain_text("Passkey “My phone”")


def roll_back(page: Page, site: Site, number: int) -> None:
    """A quarter of an hour later: asked for, proven with the passkey, asked for again with the reason still there."""
    site.scene("later")
    page.goto(f"{site.url}/decisions/{number}/?do=roll-back")
    page.fill("#reason", WHY)
    page.click("#act-roll-back")
    page.wait_for_url(re.compile("/account/prove/"))
    page.click("text=Use my passkey")
    page.wait_for_url(re.compile(f"/decisions/{number}/"))
    expect(page.locator("#reason")).to_have_value(WHY)
    page.click("#act-roll-back")
    expect(page).to_have_url(f"{site.url}/rollouts/{number}/")
    expect(page.locator(".log")).to_contain_text(WHY)


def come_back(page: Page, site: Site) -> None:
    """Out, and in with the passkey alone."""
    page.click("button[aria-label^='Sign out']")
    page.wait_for_url(re.compile("/sign-in/"))
    page.click("text=Use a passkey")


def count_back(wire: CDPSession, device: str) -> None:
    """A copy of the key, taken before it was used: its counter is behind."""
    key: dict[str, Any]
    [key] = wire.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
    place = {"authenticatorId": device, "credentialId": key["credentialId"]}
    wire.send("WebAuthn.removeCredential", place)
    wire.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": {**key, "signCount": 1}})


def test_a_passkey_from_the_first_day_to_the_copied_one(site: Site, chromium: Browser) -> None:
    number = site.scene("observing", on="by night")
    site.scene("night")
    # A passkey belongs to a name, and an address is none.
    here = replace(site, url=site.url.replace("127.0.0.1", "localhost"))
    with chromium.new_context(viewport={"width": 390, "height": 844}) as context:
        walk(context.new_page(), here, number)


def walk(page: Page, site: Site, number: int) -> None:
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    sign_in(page, site, "night")
    wire, device = holding(page)
    add_passkey(page, site)
    page.context.clear_cookies()
    page.goto(f"{site.url}/sign-in/")
    page.click("text=Use a passkey")
    page.wait_for_url(f"{site.url}/")
    roll_back(page, site, number)
    come_back(page, site)
    page.wait_for_url(f"{site.url}/")
    count_back(wire, device)
    come_back(page, site)
    expect(page.locator("[role=alert]").first).to_contain_text("This passkey was not accepted")
    assert [said for said in complaints if "status of 4" not in said] == []
