"""Chromium before the running product. One server and one browser for all tests, a fresh context for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.site import ARGS, BROWSER, PASSWORD, Site, running

Open = Callable[..., Page]
STREAM_ENDED = "[object Event]"
"""All that htmx says when a stream's minute is over and the browser comes again: a page that is slow gets that old."""


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running() as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about: a blocked style or script among it."""
    return []


@pytest.fixture
def open_as(site: Site, chromium: Browser, complaints: list[str]) -> Iterator[Open]:
    """`open_as("oncall", width=390)` returns a page in which oncall is signed in."""
    contexts = []

    def listen(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning") and said.text != STREAM_ENDED:
            complaints.append(f"{said.text} at {said.location}")

    def opened(who: str, *, width: int = 1440, scripts: bool = True) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 844}, java_script_enabled=scripts)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site.url}/sign-in/")
        page.fill("#id_username", who)
        page.fill("#id_password", PASSWORD)
        page.click("button.go")
        page.wait_for_url(f"{site.url}/")
        return page

    yield opened
    for context in contexts:
        context.close()
