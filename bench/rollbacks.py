"""Rolling back in the middle of the first wave, timed from outside."""

from __future__ import annotations

import time
from typing import Any

from bench.knocks import Knocks
from bench.strategies import ROLLBACK
from lab.demo.pages import PageError
from lab.demo.people import LOOK_EVERY, People
from lab.fleet import Lab

SHIFTED_WITHIN, BACK_WITHIN = 60.0, 20.0  # seconds
FLOW = 0.5  # seconds of knocks before and after the button


def run(lab: Lab, people: People, *, times: int) -> dict[str, Any]:
    """Roll the first wave back `times` times; `rollback_ms` is the 95th percentile of the times."""
    release = next(name for name in list(lab.releases)[1:] if not name.endswith("+bad"))
    took = sorted(one(lab, people, release) for _ in range(times))
    at = min(len(took) - 1, round(0.95 * len(took)))
    return {"rollback_ms": took[at], "rollback_p50_ms": took[len(took) // 2], "rollback_times_ms": took}


def one(lab: Lab, people: People, release: str) -> float:
    """Shift a first wave whole, let the operator take it back; ms until a stranger landed on the old slot."""
    number = people.start(release, ROLLBACK)
    upgrade = observed(people, number)
    gateway = next(gateway for gateway in lab.gateways if gateway.name == upgrade["gateway"])
    with Knocks(lab, gateway) as knocks:
        took = timed(knocks, people, number, slots=(upgrade["from_slot"], upgrade["to_slot"]))
    seen = people.carry(number, until=("rolled_back",), seconds=60)
    if seen["state"] != "rolled_back":
        raise PageError(f"Rollout {number} is {seen['state']}: {seen['why']}")
    people.say(f"  {took:.0f} ms")
    return took


def timed(knocks: Knocks, people: People, number: int, *, slots: tuple[int, int]) -> float:
    """Milliseconds from the moment before the operator's request to the first new connection on the old slot."""
    old, new = slots
    knocks.wait_for(new, after=time.time(), seconds=BACK_WITHIN)
    time.sleep(FLOW)
    pressed = people.roll_back(number, "Measured")
    back = knocks.wait_for(old, after=pressed, seconds=BACK_WITHIN)
    time.sleep(FLOW)
    return round(1000 * (back - pressed), 1)


def observed(people: People, number: int) -> dict[str, Any]:
    """Wait until the first wave's gateway carries all new users; its upgrade."""
    deadline = time.monotonic() + SHIFTED_WITHIN
    while time.monotonic() < deadline:
        seen = people.look(number)
        upgrade: dict[str, Any] = seen["upgrades"][0]
        if upgrade["state"] == "observing":
            return upgrade
        time.sleep(LOOK_EVERY)
    raise PageError(f"Rollout {number} did not shift its first wave within {SHIFTED_WITHIN:.0f} s: {seen['why']}")
