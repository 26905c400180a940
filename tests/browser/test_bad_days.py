"""Strategies, freezes, a gateway that stays out, a way back that two people take: as people click through them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
TEXT = """title: Night shift
kind: canary
waves:
  - title: first
    count: 1
  - title: rest
    rest: true
observe_seconds: soon
"""


def test_from_a_wrong_line_to_a_frozen_draft(site: Site, open_as: Open, complaints: list[str]) -> None:
    site.scene("rejected", on="journey")
    page = open_as("operator")
    write(site, page)
    page.goto(f"{site.url}/rollouts/new/")
    for field, label in (("#release", "ocserv 1.3.0-2"), ("#pool", "journey"), ("#strategy", "Night shift (v1)")):
        with page.expect_response(lambda answer: "/rollouts/new/" in answer.url):
            page.select_option(field, label=label)
    expect(page.locator("#plan")).to_contain_text("Rollback possible until start + 10 min")
    page.get_by_role("button", name="Keep this plan").click()
    expect(page.locator(".drawing svg.shares")).to_have_count(2)
    draft = page.url
    page.goto(f"{site.url}/bounds/")
    form = page.locator("details", has_text="Freeze journey")
    form.locator("summary").first.click()
    form.locator("input[id^=why-freeze]").fill("The trade fair opens.")
    form.get_by_role("button", name="Freeze journey").click()
    page.goto(draft)
    frozen = "journey is frozen until somebody lifts it, by operator: The trade fair opens."
    expect(page.locator("#rollout .notice", has_text=frozen)).to_have_count(1)
    assert complaints == []


def write(site: Site, page: Page) -> None:
    """A strategy with a wrong line: the line is named while one writes, and what it would do once it is right."""
    page.goto(f"{site.url}/strategies/add/")
    page.fill("#name", "night-shift")
    page.fill("#text", TEXT)
    expect(page.locator("#check .notice")).to_contain_text("Line 8:")
    page.fill("#text", TEXT.replace("soon", "600"))
    expect(page.locator("#check")).to_contain_text("What it would do")
    page.get_by_role("button", name="Keep it as a version").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Night shift")


def test_one_gateway_stays_out_with_a_reason(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("observing", on="one-out")
    page = open_as("operator", width=390)
    page.goto(f"{site.url}/rollouts/{rollout}/")
    page.get_by_role("link", name=re.compile("^Leave out ams-one-out-02")).click()
    button = page.get_by_role("button", name="Leave out ams-one-out-02")
    button.click()
    expect(page.locator("#reason:invalid")).to_have_count(1)  # without a reason it is not even sent
    page.fill("#reason", "Its disk is being changed")
    button.click()
    page.wait_for_url(f"{site.url}/rollouts/{rollout}/")
    expect(page.locator("tr", has_text="ams-one-out-02")).to_contain_text("Skipped")
    expect(page.locator(".log")).to_contain_text("Its disk is being changed")
    assert complaints == []


def test_a_second_person_rolls_back_on_the_phone(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("back_asked", on="night")
    page = open_as("oncall", width=390)
    card = page.locator("article.needs-me", has_text="to night")
    card.get_by_role("link", name="Review and decide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Roll back 4 gateways now in night?")
    expect(page.locator("#reason")).to_have_attribute("placeholder", "Reason, needed to leave it")
    yes, no = page.locator("#act-agree-back"), page.locator("#act-refuse-back")
    for button in (yes, no):
        expect(button).to_be_in_viewport(ratio=1)
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 48
    no.click()
    expect(page.locator("#notice")).to_contain_text("Say why")
    yes.click()
    page.wait_for_url(f"{site.url}/rollouts/{rollout}/")
    expect(page.locator(".head")).to_contain_text("Rolling back")
    assert [text for text in complaints if "422" not in text] == []
