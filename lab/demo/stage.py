"""What the demonstration and the benchmark stand on: a fleet, real or simulated, with the dashboard on it."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.demo import simulated
from lab.demo.dashboard import Dashboard
from lab.demo.life import Life
from lab.demo.pages import Browser
from lab.fleet import Lab

PEOPLE = ("operator", "oncall", "auditor")


@dataclass
class Stage:
    """A dashboard that answers, its people's passwords, and the lab under it (None when simulated)."""

    dashboard: Dashboard
    passwords: dict[str, str]
    lab: Lab | None
    life: Life | None = None


def clock() -> Callable[[str], None]:
    """Return a function that prints one progress line with the seconds since now."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {line}", flush=True)

    return say


@contextlib.contextmanager
def real(
    dashboard: Dashboard, *, gateways: int, users: int, later: int = 0, more: Mapping[str, Any] | None = None
) -> Iterator[Stage]:
    """Build the lab and put the dashboard on it; everything is taken down at the end. `more` joins the inventory.

    With `later`, so many further users come by themselves while a release is observed.
    """
    with Lab(gateways=gateways, users=users + later, say=dashboard.say) as lab, contextlib.ExitStack() as after:
        dashboard.prepare()
        stage = opened(dashboard, {**lab.inventory(), **(more or {})}, lab)
        after.callback(dashboard.stop)
        if later:
            auditor = Browser(dashboard.address)
            auditor.sign_in("auditor", stage.passwords["auditor"])
            stage.life = Life(lab, auditor, later=later)
            stage.life.start()
            after.callback(stage.life.stop)
        yield stage


@contextlib.contextmanager
def in_memory(dashboard: Dashboard, *, gateways: int) -> Iterator[Stage]:
    """The same on simulated gateways: needs no root."""
    dashboard.prepare()
    try:
        inventory = simulated.inventory(dashboard.state / "simulated", gateways=gateways)
        yield opened(dashboard, inventory, None)
    finally:
        dashboard.stop()


def opened(dashboard: Dashboard, inventory: Mapping[str, Any], lab: Lab | None) -> Stage:
    """Seed the dashboard from an inventory and start it."""
    path = dashboard.state / "inventory.json"
    path.touch(mode=0o600)  # it holds the probe's password
    path.write_text(json.dumps(inventory, indent=2))
    passwords = {name: secrets.token_urlsafe(9) for name in PEOPLE}
    dashboard.say("taking the releases in and enrolling the gateways")
    dashboard.manage("seed_demo", str(path), stdin=json.dumps(passwords))
    dashboard.say("starting the dashboard")
    try:
        dashboard.start()
    except BaseException:
        dashboard.stop()
        raise
    return Stage(dashboard, passwords, lab)
