"""What only a browser can tell: pages are live, and the ways through them work, without JavaScript, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

pytestmark = pytest.mark.browser
Open = Callable[..., Page]


def test_from_sign_in_to_approval(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("waiting_approval", on="asked")
    page = open_as("oncall", width=390)
    card = page.locator("article.needs-me", has_text="to asked")
    assert page.title().startswith("(")
    card.get_by_role("link", name="Review and decide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve 4 gateways for 1.3.0-2 in asked?")
    page.fill("#reason", "As planned")
    page.get_by_role("button", name="Approve 4 gateways").click()
    page.wait_for_url(f"{site.url}/rollouts/{rollout}/")
    expect(page.locator(".head")).to_contain_text("Running")
    expect(page.locator(".log")).to_contain_text("oncall")
    assert complaints == []


def test_approval_without_javascript(site: Site, open_as: Open) -> None:
    rollout = site.scene("waiting_approval", on="plain")
    page = open_as("oncall", scripts=False)
    page.goto(f"{site.url}/decisions/{rollout}/")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("#notice")).to_contain_text("Say why you reject it")
    page.fill("#reason", "Not today")
    page.get_by_role("button", name="Reject").click()
    page.wait_for_url(f"{site.url}/rollouts/{rollout}/")
    expect(page.locator(".head")).to_contain_text("Rejected")


def test_change_by_another_person_arrives(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("observing", on="watched")
    path = f"{site.url}/rollouts/{rollout}/"
    watching, acting = open_as("auditor"), open_as("operator")
    watching.goto(path)
    acting.goto(path)
    expect(watching.locator("#live")).to_have_class("live is-live")
    acting.get_by_role("button", name="Hold", exact=True).click()
    expect(acting.locator(".head")).to_contain_text("On hold")
    expect(watching.locator(".head")).to_contain_text("On hold")
    expect(watching.locator("#said")).to_contain_text("On hold since")
    assert complaints == []


def test_polls_when_the_stream_is_blocked(site: Site, open_as: Open) -> None:
    rollout = site.scene("observing", on="deaf")
    page, acting = open_as("auditor"), open_as("operator")
    page.route("**/live/**", lambda route: route.abort())
    for each in (page, acting):
        each.goto(f"{site.url}/rollouts/{rollout}/")
    acting.get_by_role("button", name="Hold", exact=True).click()
    expect(page.locator(".head")).to_contain_text("On hold", timeout=30_000)
    expect(page.locator("#live")).to_contain_text("polling")


def test_chart_is_drawn_and_outlives_a_refresh(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("rolled_back", on="charted")
    page = open_as("oncall")
    page.goto(f"{site.url}/rollouts/{rollout}/")
    chart = page.locator("[data-chart]").first
    expect(chart).to_have_attribute("data-state", "drawn")
    expect(chart.locator(".scatterlayer .trace")).to_have_count(2)
    chart.evaluate("place => { place.marked = true }")
    with page.expect_response(lambda answer: answer.url.endswith(f"/rollouts/{rollout}/")):
        page.evaluate("htmx.trigger('#rollout', 'poll')")
    page.wait_for_function("document.querySelector('[data-chart]').marked === true")
    page.get_by_text("The same as a table").first.click()
    expect(page.locator("details table")).to_contain_text("1.1.6-2")
    assert complaints == []


def test_typed_reason_outlives_a_refresh(site: Site, open_as: Open) -> None:
    rollout = site.scene("observing", on="typing")
    page = open_as("oncall", width=390)
    page.goto(f"{site.url}/decisions/{rollout}/?do=roll-back")
    page.fill("#reason", "Users report")
    page.locator("h1").click()  # the field loses the focus, so the part is swapped
    with page.expect_response(lambda answer: f"/decisions/{rollout}/" in answer.url):
        page.evaluate("htmx.trigger('#decision', 'poll')")
    expect(page.locator("#reason")).to_have_value("Users report")
    page.get_by_role("button", name="Roll back 1 gateway").click()
    page.wait_for_url(f"{site.url}/rollouts/{rollout}/")
    expect(page.locator(".log")).to_contain_text("Users report")


def test_refused_upload_says_why_and_keeps_the_choice(site: Site, open_as: Open, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    site.scene("done", on="refusal")
    page = open_as("operator")
    page.goto(f"{site.url}/releases/add/")
    page.set_input_files("#files", tmp_path / "manifest.json")
    page.get_by_role("button", name="Check and add").click()
    expect(page.locator("#notice")).to_contain_text("Nothing was done.")
    expect(page.get_by_role("button", name="Check and add")).to_be_enabled()
    assert page.evaluate("document.getElementById('files').files.length") == 1


def test_upload_tells_how_far_it_is(site: Site, open_as: Open, complaints: list[str], tmp_path: Path) -> None:
    (tmp_path / "bundle.tar.zst").write_bytes(bytes(3_000_000))
    site.scene("done", on="upload")
    page = open_as("operator")
    page.goto(f"{site.url}/releases/add/")
    page.evaluate("""() => {
        window.said = [];
        const say = document.getElementById("upload-say");
        new MutationObserver(() => window.said.push(say.textContent)).observe(say, { childList: true });
    }""")
    page.set_input_files("#files", tmp_path / "bundle.tar.zst")
    page.get_by_role("button", name="Check and add").click()
    expect(page.locator("#notice")).to_contain_text("manifest.json is missing")
    assert "All 3 MB are there. Signatures, hashes and every member are being checked." in page.evaluate("window.said")
    assert [text for text in complaints if "422" not in text] == []


def test_upload_without_javascript(site: Site, open_as: Open, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    site.scene("done", on="plain-upload")
    page = open_as("operator", scripts=False)
    page.goto(f"{site.url}/releases/add/")
    page.set_input_files("#files", tmp_path / "manifest.json")
    page.get_by_role("button", name="Check and add").click()
    expect(page.locator("#notice")).to_contain_text("Nothing was done.")
