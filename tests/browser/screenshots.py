"""Looks at pages: takes their pictures, 390 and 1440 wide, light and dark, and says what is wrong with them.

Wrong is what the console says (a blocked style or script among it), what axe finds, what scrolls sideways (360 wide,
too), and on a decision what a thumb could miss.

The pictures are .cache/screenshots/PAGE-WIDTH-THEME.png; `script/test browser` makes them all.
Usage: python -m tests.browser.screenshots [PART-OF-A-NAME…]
"""

from __future__ import annotations

import sys
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.browser import pages
from tests.browser.pages import Pages
from tests.browser.site import ARGS, BROWSER, PASSWORD, ROOT, Site, running

Theme = Literal["light", "dark"]
OUT = ROOT / ".cache" / "screenshots"
AXE = ROOT / "tests" / "browser" / "vendor" / "axe-core-4.14.1.min.js"
# One load serves all four: what differs is told to the browser, as a person who turns a phone would.
VIEWS: tuple[tuple[int, int, Theme], ...] = (
    (390, 844, "light"),
    (390, 844, "dark"),
    (1440, 900, "dark"),
    (1440, 900, "light"),
)
RULES = {"light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "dark": ["color-contrast"]}
FORCED = ("rollout-observing", "rollout-late", "decision-approve", "decision-roll-back", "strategy", "bounds")
PATIENCE = 60_000  # ms, for a machine that does other things
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
JUDGE = """async (runOnly) => {
    const said = await axe.run(document, { runOnly, preload: false, resultTypes: ["violations"] });
    return said.violations.map((one) => {
        const where = one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(" | ");
        return `${one.id} (${one.nodes.length} ×, ${one.help}): ${where}`;
    });
}"""
# A thumb's buttons, and text before any chart.
SMALL = """[...document.querySelectorAll("main :is(button, .button, summary, .stick input)")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 48)
    .map((one) => one.textContent.trim() || one.id)"""


def sign_in(page: Page, site: Site, who: str) -> None:
    page.goto(f"{site.url}/sign-in/")
    page.fill("#id_username", who)
    page.fill("#id_password", PASSWORD)
    page.click("button.go")
    page.wait_for_url(f"{site.url}/")


class Looker:
    """One person's browser. `faults` keeps a line for each thing that is wrong, beginning with the page's name."""

    def __init__(self, browser: Browser, site: Site, who: str) -> None:
        # Without transitions: a picture, or a contrast, is of what stays.
        size: ViewportSize = {"width": 390, "height": 844}
        self.context = browser.new_context(viewport=size, reduced_motion="reduce")
        self.page, self.site, self.name = self.context.new_page(), site, "sign-in"
        self.faults: list[str] = []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self._note("error", [str(error)]))
        if who:
            sign_in(self.page, site, who)

    def _note(self, view: str, faults: list[str]) -> None:
        self.faults += [f"{self.name} {view}: {fault}" for fault in faults]

    def _listen(self, said: ConsoleMessage) -> None:
        """Refusals are pages, too; all else that the console says is a fault of ours."""
        if said.type in ("error", "warning") and "status of 40" not in said.text:
            self._note("console", [said.text])

    def look(self, name: str, path: str) -> None:
        """Open one page, take its pictures and judge it."""
        self.name = name
        self._size(390, 844, "light")
        answer = self.page.goto(self.site.url + path)
        self._note("answer", [str(answer.status)] if answer and answer.status >= 500 else [])
        self._settle()
        self.page.evaluate(AXE.read_text())
        for width, height, theme in VIEWS:
            self._size(width, height, theme)
            self._shoot(f"{width}-{theme}")
            self._note(f"{width}-{theme}", self.page.evaluate(JUDGE, RULES[theme]))
        if name in FORCED:
            self.page.emulate_media(forced_colors="active")
            self._shoot("1440-forced")
        if name.startswith("decision-"):
            self._thumb()
        self._size(360, 640, "light")
        self._note("360-light", ["scrolls sideways"] if self.page.evaluate(WIDER) > 0 else [])

    def _settle(self) -> None:
        if self.name.endswith("-open"):
            self.page.evaluate(UNFOLD)
        if self.page.locator("#live").count():
            self.page.wait_for_selector("#live.is-live", timeout=PATIENCE)
        for chart in self.page.locator("[data-chart]").all():
            chart.scroll_into_view_if_needed()
        expect(self.page.locator("[data-chart][data-state=waiting]")).to_have_count(0, timeout=PATIENCE)
        self.page.evaluate("scrollTo(0, 0)")

    def _size(self, width: int, height: int, theme: Theme) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=theme, forced_colors="none")
        if self.page.locator("[data-state=drawn]").count():
            self.page.wait_for_timeout(200)  # the chart follows its place a moment later

    def _shoot(self, view: str) -> None:
        # A caret is hidden by an inline style; a part that htmx swaps meanwhile copies it, and the policy complains.
        self.page.screenshot(path=OUT / f"{self.name}-{view}.png", full_page=True, caret="initial")
        self._note(view, ["scrolls sideways"] if self.page.evaluate(WIDER) > 0 else [])

    def _thumb(self) -> None:
        self._size(360, 640, "light")
        self._shoot("360-light")
        self._note("360-light", [f"less than 48 px high: {one}" for one in self.page.evaluate(SMALL)])


def shoot(browser: Browser, site: Site, wanted: Pages, who: str) -> list[str]:
    """Look at what `who` looks at among the pages; return the faults."""
    OUT.mkdir(parents=True, exist_ok=True)
    looker = Looker(browser, site, who)
    for name, (person, path) in wanted.items():
        if person == who:
            looker.look(name, path)
    looker.context.close()
    return sorted(set(looker.faults))


def main() -> None:
    with running() as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=list(ARGS))
        faults, made = [], 0
        for stage in (pages.first_run, pages.every, pages.emergency):
            parts = sys.argv[1:] or [""]
            wanted = {name: one for name, one in stage(site).items() if any(part in name for part in parts)}
            made += len(wanted)
            for who in sorted({who for who, _ in wanted.values()}):
                faults += shoot(browser, site, wanted, who)
        browser.close()
    print(f"{made} pages in {OUT}")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
