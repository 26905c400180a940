"""Every page at 390 and 1440, light and dark: nothing in the console, nothing sideways, nothing that axe finds.

The pictures stay in .cache/screenshots. A site of its own: it is looked at before anything is on it, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import pages
from tests.browser.pages import Pages
from tests.browser.screenshots import shoot
from tests.browser.site import Site, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def theatre() -> Iterator[Site]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def bare(theatre: Site) -> Pages:
    return pages.first_run(theatre)


@pytest.mark.parametrize("who", ["operator", "auditor"])
def test_before_anything_is_there(theatre: Site, bare: Pages, chromium: Browser, who: str) -> None:
    assert shoot(chromium, theatre, bare, who) == []


@pytest.fixture(scope="module")
def full(theatre: Site, bare: Pages) -> Pages:
    """Made after the first run was looked at: tests run in the order of this file."""
    return pages.every(theatre)


@pytest.mark.parametrize("who", ["operator", "oncall", "auditor", "stranger", ""])
def test_every_page(theatre: Site, full: Pages, chromium: Browser, who: str) -> None:
    assert shoot(chromium, theatre, full, who) == []


@pytest.fixture(scope="module")
def loud(theatre: Site, full: Pages) -> Pages:
    """Last: from now on its band stands on every page."""
    return pages.emergency(theatre)


@pytest.mark.parametrize("who", ["oncall", "auditor"])
def test_an_emergency(theatre: Site, loud: Pages, chromium: Browser, who: str) -> None:
    assert shoot(chromium, theatre, loud, who) == []
