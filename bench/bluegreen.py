"""`script/bench bluegreen`: a whole pool of real gateways shifted at one moment and taken back, with users on them.

What counts is the gateways' own word: the first new connection that each one's connection tracking shows on the other
slot. The spread is the time between the first gateway's and the last one's; the gateways of the lab share one clock.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from functools import partial
from typing import Any

from bench.guard import guarded
from bench.handover import SETTLE, silent_clock
from bench.knocks import Knocks
from bench.urgent import is_free, observed
from bench.waiting import wait_until
from lab.demo import stage, watch
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.people import People
from lab.fleet import Lab

STATE, PORT, TITLE = ROOT / "var/bench-bluegreen", 8016, "Bench blue-green"
SPEC = {
    "kind": "blue_green",
    "waves": [{"title": "all at once", "rest": True}],
    **{"observe_seconds": 900, "poll_seconds": 1, "trial_seconds": 300, "at_once": 40, "promote": "hand"},
    "on_fail": "rollout",
    "limits": {"login_success_min": 0.9, "min_logins": 1, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}
WITHIN, BACK_WITHIN = 180.0, 60.0  # seconds
EVERY, KNOCKS_A_TURN = 0.02, 15_000  # seconds between two knocks at one gateway; a turn's strangers are its own


def one_turn(lab: Lab, people: People, turn: int) -> dict[str, float]:
    """Shift all gateways together and take them back; milliseconds."""
    release = next(name for name in list(lab.releases)[1:] if not name.endswith("+bad"))
    names = {gateway.name for gateway in lab.gateways}
    with contextlib.ExitStack() as stack:
        strangers = turn * KNOCKS_A_TURN
        knocks = [stack.enter_context(Knocks(lab, gateway, every=EVERY, first=strangers)) for gateway in lab.gateways]
        began = time.time()
        number = people.start(release, TITLE)
        wait_until(lambda: observed(people, number) == names, seconds=WITHIN, what="not all are observed")
        there = [knock.wait_for(2, after=began, seconds=BACK_WITHIN) for knock in knocks]
        time.sleep(0.5)
        pressed = people.roll_back(number, "Measured")
        back = [knock.wait_for(1, after=pressed, seconds=BACK_WITHIN) for knock in knocks]
        time.sleep(0.5)
    seen = people.carry(number, until=("rolled_back",), seconds=BACK_WITHIN)
    if seen["state"] != "rolled_back":
        raise DemoError(f"Rollout {number} is {seen['state']}: {seen['why']}")
    for gateway in lab.gateways:
        wait_until(partial(is_free, gateway), seconds=BACK_WITHIN, what=f"{gateway.name} is not free again")
    return {"shift_spread_ms": ms(there), "back_spread_ms": ms(back), "back_ms": ms([pressed, *back])}


def ms(moments: list[float]) -> float:
    return round(1000 * (max(moments) - min(moments)), 1)


def measured(options: argparse.Namespace) -> dict[str, Any]:
    dashboard = Dashboard(STATE, port=PORT, simulated=False, say=silent_clock())
    dashboard.env |= {"HANDOVER_INVENTORY_SECONDS": "86400"}
    strategies = {"bench-bluegreen": {"title": TITLE, "spec": SPEC}}
    more = {"strategies": strategies, "budget": {"gateways_percent": 100}}
    with stage.real(dashboard, gateways=options.gateways, users=options.users, more=more) as running:
        assert running.lab
        lab, people = running.lab, People(dashboard.address, running.passwords, say=dashboard.say)
        before = watch.users(lab)
        turns = [one_turn(lab, people, turn) for turn in range(options.rounds)]
        time.sleep(SETTLE)
        after = watch.users(lab)
    worst = {name: max(turn[name] for turn in turns) for name in turns[0]}
    figures = {"gateways": options.gateways, **worst, "kept": after.kept(before), "of": len(before.sessions)}
    return {**figures, "lost": after.lost - before.lost, "packets": after.sent - before.sent, "turns": turns}


def promises(figures: dict[str, Any]) -> list[str]:
    """The promises that did not hold."""
    held = {
        "all shifted within one second": figures["shift_spread_ms"] <= 1000,
        "all went back within one second": figures["back_spread_ms"] <= 1000,
        "sessions kept": figures["kept"] == figures["of"] > 0,
        "no packet lost": figures["lost"] == 0 < figures["packets"],
    }
    return [name for name, kept in held.items() if not kept]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench bluegreen", description="A pool shifted at one moment.")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--gateways", type=int, default=4)
    parser.add_argument("--users", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="there and back; the worst of them counts")
    options = parser.parse_args(argv)

    def work() -> int:
        figures = measured(options)
        figures["broken"] = promises(figures)
        table = "\n".join(f"{name:18} {value}" for name, value in figures.items())
        print(json.dumps(figures) if options.json else table)
        return 1 if figures["broken"] else 0

    return guarded(STATE, work)
