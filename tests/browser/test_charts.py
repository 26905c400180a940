"""A chart of 600 points a line grows where it stands: same nodes, same size, same numbers as the table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.browser.site import Site

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
PATIENCE = 60_000  # ms, for a machine that does other things

# Sizes of all that must not move, and how often plotly drew the whole anew.
MARK = """place => {
    place.marked = place.querySelector(".main-svg");
    place.moved = [];
    const size = () => [place, ...place.querySelectorAll(".plot")].map((one) => one.getBoundingClientRect())
        .map(({ width, height }) => `${width}x${height}`);
    place.before = place.querySelector(".bglayer, .cartesianlayer").getBoundingClientRect().toJSON();
    place.height = place.getBoundingClientRect().height;
    place.points = Math.max(...place.data.map(({ y }) => y.length));
    new MutationObserver((seen) => seen.forEach(({ removedNodes }) => removedNodes.forEach((node) => {
        if (node === place.marked) place.moved.push("svg");
    }))).observe(place, { childList: true, subtree: true });
}"""
LAST = "at => document.querySelector('[data-live]').data.some(({ x }) => x.at(-1) >= at)"
HANDSHAKES = """place => place.data.filter(({ name, yaxis, meta }) => name && yaxis === "y3" && meta.tone !== "limit")
    .map(({ name, y }) => [name.split(" ")[0], y.at(-1)])"""


def grown(page: Page, site: Site) -> None:
    """Tell of readings as the collector does, each few seconds, until the chart has one: a message may be lost."""
    for _ in range(12):
        with suppress(TimeoutError):
            # What it had may be as new as what is told: that it asked for more is what counts.
            with page.expect_request(lambda request: "&after=" in request.url, timeout=PATIENCE / 12):
                at = 1000 * site.scene("measured_more")
            page.wait_for_function(LAST, arg=at - 9_999, timeout=PATIENCE / 12)
            return
    raise AssertionError("The chart did not grow.")


def test_it_grows_without_a_jump(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("measured")
    page = open_as("oncall")
    page.goto(f"{site.url}/rollouts/{rollout}/")
    chart = page.locator("[data-live=readings]")
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-state", "drawn", timeout=PATIENCE)
    expect(page.locator("#live.is-live")).to_be_visible(timeout=PATIENCE)
    chart.evaluate(MARK)
    assert chart.evaluate("place => place.points") >= 500
    grown(page, site)
    assert chart.evaluate("place => place.marked.isConnected && place.moved.length === 0")
    assert chart.evaluate("place => place.getBoundingClientRect().height === place.height")
    plot = chart.evaluate("place => place.querySelector('.bglayer, .cartesianlayer').getBoundingClientRect().toJSON()")
    assert plot["left"] == chart.evaluate("place => place.before.left")
    assert complaints == []


def test_the_table_holds_its_numbers(site: Site, open_as: Open, complaints: list[str]) -> None:
    rollout = site.scene("measured")
    page = open_as("auditor", width=390)
    page.goto(f"{site.url}/rollouts/{rollout}/")
    chart = page.locator("[data-live=readings]")
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-state", "drawn", timeout=PATIENCE)
    table = page.locator("details", has=page.locator("[id^=stacked-table-]"))
    table.locator("summary").click()
    for name, value in chart.evaluate(HANDSHAKES):
        first = table.locator("tbody tr", has_text=name).first
        expect(first).to_contain_text(f"{value:.1f} ms", timeout=PATIENCE)
    assert "Sign-ins that fail: " in (chart.get_attribute("aria-label") or "")
    assert complaints == []
