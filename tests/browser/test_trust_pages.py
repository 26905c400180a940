"""Pages of trust in a real browser: they fit a phone in silence, and two people agree on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import desks, drifted, trusted
from tests.browser.site import Site
from tests.unit.releases import desk

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
Seen = dict[str, str]
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, summary")]
    .filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
    .map((one) => one.outerHTML)"""
NEEDS_RIGHT = {"oncall": ["release-add"], "auditor": ["release-add"]}


@pytest.fixture(scope="module")
def seen(site: Site) -> Seen:
    """Every page of trust by name, with rows about which it has something to say."""
    site.scene("done", on="walked")
    every = drifted(site) | trusted(site) | desks(site)
    return {name: site.url + path for name, (_, path) in every.items()}


@pytest.mark.parametrize("who", NEEDS_RIGHT)
def test_pages_fit_a_phone_in_silence(seen: Seen, open_as: Open, complaints: list[str], who: str) -> None:
    page = open_as(who, width=390)
    refused, wide, unnamed, unplaced = [], [], [], []
    for name, path in seen.items():
        answer = page.goto(path)
        assert answer is not None
        refused += [name] if answer.status == 403 else []
        wide += [name] if page.evaluate(WIDER) > 0 else []
        unnamed += page.evaluate(UNNAMED)
        unplaced += [name] if page.locator(".top [aria-current=page]").count() != 1 else []
    assert (refused, wide, unnamed, unplaced) == (NEEDS_RIGHT[who], [], [], [])
    assert [text for text in complaints if "403 (Forbidden)" not in text] == []


def test_the_open_page_is_in_sight_and_edges_fade(site: Site, seen: Seen, open_as: Open) -> None:
    page = open_as("auditor", width=390)
    page.goto(f"{site.url}/audit/")
    expect(page.locator(".top nav")).to_have_class("more-before")
    expect(page.get_by_role("link", name="Audit", exact=True)).to_be_in_viewport(ratio=0.98)
    page.goto(seen["alerts"])
    expect(page.locator(".top nav [aria-current=page]")).to_have_text("Gateways")
    expect(page.locator(".top nav [aria-current=page]")).to_be_in_viewport(ratio=0.98)


def test_a_second_person_decides_on_the_phone(seen: Seen, open_as: Open, complaints: list[str]) -> None:
    asking, deciding = open_as("operator"), open_as("oncall", width=390)
    asking.goto(seen["change"])
    expect(asking.locator("#change")).to_contain_text("1 person with the right “Can change approver key”")
    expect(asking.get_by_role("button", name="Approve")).to_have_count(0)
    card = deciding.locator("article.needs-me", has_text="Let operator sign statements with a new key")
    card.get_by_role("link", name="Review and decide").click()
    deciding.get_by_role("button", name="Approve").click()
    expect(deciding.locator("#change")).to_contain_text("It was applied when the last yes was given")
    expect(asking.locator("#change")).to_contain_text("oncall approved it", timeout=15_000)
    assert complaints == []


def test_a_release_is_taken_in_once_its_signer_is_trusted(
    seen: Seen, open_as: Open, complaints: list[str], tmp_path: Path
) -> None:
    page, deciding = open_as("operator"), open_as("oncall", width=390)
    told: list[str] = []
    page.expose_function("told", lambda say: told.append(say))
    made = desk.release(tmp_path / "in", desk.key("li"), release="1.5.0-1", version="1.5.0", counter=1_005_000)
    files = sorted(made.iterdir())
    send(page, seen, files)
    expect(page.locator("#notice")).to_contain_text("Nothing was done.")
    (tmp_path / "li.asc").write_text(desk.public(desk.key("li")))
    ask_to_trust(page, seen, tmp_path / "li.asc")
    deciding.goto(page.url)
    deciding.get_by_role("button", name="Approve").click()
    expect(deciding.locator("#change")).to_contain_text("It was applied")
    told.clear()
    send(page, seen, files)
    expect(page.get_by_role("heading", level=1)).to_have_text("ocserv 1.5.0-1")
    assert "All 1 MB are there. Signatures, hashes and every member are being checked." in told
    assert [text for text in complaints if "422" not in text] == []


def send(page: Page, seen: Seen, files: list[Path]) -> None:
    """Choose the files and send them; the page calls `told` with each sentence below the bar."""
    page.goto(seen["release-add"])
    page.evaluate("""() => {
        const say = document.getElementById("upload-say");
        new MutationObserver(() => window.told(say.textContent)).observe(say, { childList: true });
    }""")
    page.set_input_files("#files", files)
    page.get_by_role("button", name="Check and add").click()


def ask_to_trust(page: Page, seen: Seen, key: Path) -> None:
    page.goto(seen["signers"])
    page.get_by_text("Trust somebody new").click()
    page.fill("#label", "Li, release desk")
    page.set_input_files("#key", key)
    page.fill("#why", "Joined in November")
    page.press("#why", "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Li, release desk")
