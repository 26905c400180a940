"""The operator and on-call, who do with the pages what people do with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from lab.demo.pages import Browser, Page, PageError

LOOK_EVERY = 0.5  # seconds between two looks at a rollout
OVER = ("done", "rolled_back", "rejected", "failed")


class People:
    """Two signed-in people at one dashboard."""

    def __init__(self, address: str, passwords: dict[str, str], *, say: Callable[[str], None]) -> None:
        self.say = say
        self.operator, self.oncall = Browser(address), Browser(address)
        self.operator.sign_in("operator", passwords["operator"])
        self.oncall.sign_in("oncall", passwords["oncall"])

    def start(self, release: str, strategy: str) -> int:
        """The operator plans and submits, on-call approves; the rollout's number."""
        number, approve = self.asked(release, strategy)
        approve()
        return number

    def asked(self, release: str, strategy: str) -> tuple[int, Callable[[], object]]:
        """The operator plans and submits, on-call has the page before him; the rollout's number, and his yes."""
        form = self.operator.get("/rollouts/new/").form("/rollouts/new/")
        form.choose("release", release)
        form.choose("strategy", strategy)
        planned = expect(self.operator.send(form), "/rollouts/")
        number = int(planned.path.strip("/").split("/")[-1])
        expect(self.operator.send(planned.form("/submit/")), f"/rollouts/{number}/")
        decision = self.oncall.get(f"/decisions/{number}/")
        form = decision.form("/approve/")
        return number, lambda: expect(self.oncall.send(form, reason="As planned"), f"/rollouts/{number}/")

    def look(self, number: int) -> dict[str, Any]:
        """The rollout as the dashboard tells programs."""
        return self.operator.data(f"/api/rollouts/{number}/")

    def promote(self, number: int) -> None:
        """The operator lets the next wave start."""
        self.press(number, "promote", reason="")

    def roll_back(self, number: int, reason: str) -> float:
        """The operator takes it back; the moment (epoch seconds) before the button's request left."""
        form = self.operator.get(f"/decisions/{number}/?do=roll-back").form("/roll-back/")
        at = time.time()
        expect(self.operator.send(form, reason=reason), f"/rollouts/{number}/")
        return at

    def press(self, number: int, button: str, *, reason: str) -> None:
        page = self.operator.get(f"/rollouts/{number}/")
        try:
            form = page.form(f"/{button}/")
        except PageError:
            # Where the button leads to a page that asks again.
            form = self.operator.get(f"/decisions/{number}/?do={button}").form(f"/{button}/")
        expect(self.operator.send(form, reason=reason), f"/rollouts/{number}/")

    def carry(self, number: int, *, until: tuple[str, ...], seconds: float) -> dict[str, Any]:
        """Promote each wave that passed, until the rollout's state is one of `until`; PageError after `seconds`."""
        deadline = time.monotonic() + seconds
        shown = ""
        while True:
            seen = self.look(number)
            if seen["why"] != shown and seen["state"] not in ("upgrading",):
                self.say(f"  {seen['why']}")
                shown = seen["why"]
            if seen["state"] in until or seen["state"] in OVER:
                return seen
            if seen["state"] == "waiting_promotion":
                self.say("  the operator promotes the next wave")
                self.promote(number)
            if time.monotonic() > deadline:
                raise PageError(f"Rollout {number} is {seen['state']} after {seconds:.0f} s: {seen['why']}")
            time.sleep(LOOK_EVERY)


def expect(page: Page, path: str) -> Page:
    """The page if it is the one that a success leads to; PageError with what it says else."""
    if page.status == 200 and page.path.startswith(path):
        return page
    raise PageError(f"{page.path} answered {page.status}: {refusal(page)}")


def refusal(page: Page) -> str:
    """The sentence of a page's notice, or its title."""
    for mark in ('role="alert"', 'class="notice', "<title>"):
        _, found, rest = page.text.partition(mark)
        if found:
            words = "".join(part.partition(">")[2] + " " for part in rest[:600].replace("<title>", ">").split("<"))
            return " ".join(words.split())[:240]
    return "it says nothing"
