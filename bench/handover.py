"""`script/bench handover`: a whole rollout and then another while the first users still sit in their first slot.

First the rollback of a first wave, several times, from the operator's button to the first new connection on the old
slot. Then 1.1.6 → 1.3.0 → the newest, with new users coming and going and half of the users' connections cut while old
slots drain. Last what people have today: a restart. Figures come from the users' own counters, occtl and the kernel.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from bench import baseline, rollbacks
from bench.guard import guarded
from bench.strategies import ROLLOUT, STRATEGIES
from lab.demo import stage, watch
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.people import People
from lab.fleet import Lab

CHURN = 2.0  # new users a second
STATE = ROOT / "var/bench"
WITHIN = 180.0  # seconds for one rollout
SETTLE = 4.0  # seconds: the last sign-ins end, the last packets come home
RECONNECTED_WITHIN = 30.0  # seconds after a cut


def measured(lab: Lab, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run `act` while new users come and go; what it returns, and what the users and occtl saw meanwhile."""
    before, logins, began = watch.users(lab), lab.churn.report(), time.monotonic()
    lab.churn.start(CHURN)
    try:
        extra = act()
    finally:
        lab.churn.stop()
    time.sleep(SETTLE)
    after, came = watch.users(lab), lab.churn.report()
    return {
        "sessions_before": len(before.sessions),
        "sessions_kept": after.kept(before),
        "packets_sent": after.sent - before.sent,
        "packets_lost": after.lost - before.lost,
        "packets_lost_in_cuts": after.lost_in_cuts - before.lost_in_cuts,
        "longest_gap_ms": after.longest_gap_ms,
        "logins_tried": came["tried"] - logins["tried"],
        "logins_failed": came["failed"] - logins["failed"],
        "login_p95_ms": came["p95_ms"],
        **extra,
        "seconds": round(time.monotonic() - began, 1),
    }


def two_rollouts(running: stage.Stage, people: People) -> dict[str, Any]:
    """To the next release and on to the newest; half of the users are cut while their slots drain."""
    assert running.lab
    releases = [name for name in running.lab.releases if not name.endswith("+bad")]
    clients = list(running.lab.clients.all)
    # The same half in each run of the same size, spread over the gateways.
    chosen = random.Random(1).sample(clients, len(clients) // 2)
    cut = {"reconnects_forced": 0, "reconnects_kept": 0}
    for number, release in enumerate(releases[1:]):
        people.say(f"rollout to {release}")
        rollout = people.start(release, ROLLOUT)
        seen = people.carry(rollout, until=("draining",), seconds=WITHIN)
        # Done already where the slots before hold none of the users.
        if seen["state"] not in ("draining", "done"):
            raise DemoError(f"The rollout to {release} is {seen['state']}: {seen['why']}")
        for name, count in cut_some(running.lab, [client.user for client in chosen[number::2]]).items():
            cut[name] += count
    return {**cut, "still_in_first_slot": in_slot(running.lab, 1), "releases": releases}


def in_slot(lab: Lab, slot: int) -> int:
    """How many of the steady users' sessions are in that slot, over all gateways."""
    names = {client.user for client in lab.clients.all}
    found = [session for gateway in lab.gateways for session in gateway.sessions() if session["user"] in names]
    return sum(session["slot"] == slot for session in found)


def cut_some(lab: Lab, names: list[str]) -> dict[str, int]:
    """Reset these users' TCP connections; how many, and how many came back into the session that they had."""
    clients = [client for client in lab.clients.all if client.user in names]
    before = watch.users(lab)
    for client in clients:
        client.cut()
    deadline = time.monotonic() + RECONNECTED_WITHIN
    while watch.users(lab).reconnects < before.reconnects + len(clients) and time.monotonic() < deadline:
        time.sleep(0.5)
    mine = {client.user for client in clients}
    kept = watch.users(lab).sessions_of & {entry for entry in before.sessions_of if entry[1] in mine}
    return {"reconnects_forced": len(clients), "reconnects_kept": len(kept)}


def promises(figures: dict[str, Any]) -> list[str]:
    """The promises that did not hold."""
    rolled = figures["rollback"]
    held = {
        "sessions kept": figures["sessions_kept"] == figures["sessions_before"] > 0,
        "no packet lost": figures["packets_lost"] == 0 < figures["packets_sent"],
        "no login failed": figures["logins_failed"] == 0 < figures["logins_tried"],
        "reconnects kept": figures["reconnects_kept"] == figures["reconnects_forced"] > 0,
        "sessions kept in rollbacks": rolled["sessions_kept"] == rolled["sessions_before"] > 0,
        "no packet lost in rollbacks": rolled["packets_lost"] == 0 < rolled["packets_sent"],
        "no login failed in rollbacks": rolled["logins_failed"] == 0 < rolled["logins_tried"],
        "rollback p95 at most 300 ms": rolled["rollback_ms"] <= 300,
    }
    return [name for name, kept in held.items() if not kept]


def bench(options: argparse.Namespace) -> int:
    say = stage.clock() if not options.json else silent_clock()
    dashboard = Dashboard(STATE, port=options.port, simulated=False, say=say)
    more = {"strategies": STRATEGIES, "budget": {"gateways_percent": 100}}
    with stage.real(dashboard, gateways=options.gateways, users=options.users, more=more) as running:
        assert running.lab
        lab, people = running.lab, People(dashboard.address, running.passwords, say=say)
        say(f"{options.rollbacks} rollbacks of a first wave")
        rolled = measured(lab, lambda: rollbacks.run(lab, people, times=options.rollbacks))
        whole = measured(lab, lambda: two_rollouts(running, people))
        say("what people have today: a restart")
        figures = {**whole, "rollback": rolled, "baseline_restart": baseline.restart(lab)}
    figures |= {"gateways": options.gateways, "broken": promises(figures)}
    print(json.dumps(figures), flush=True)
    return 1 if figures["broken"] else 0


def silent_clock() -> Callable[[str], None]:
    """Progress to standard error, so that standard output holds the one line."""
    began = time.monotonic()
    return lambda line: print(f"[{time.monotonic() - began:4.0f} s] {line}", file=sys.stderr, flush=True)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench handover", description="A handover, measured on real gateways.")
    parser.add_argument("--json", action="store_true", help="nothing but the one JSON line on standard output")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--rollbacks", type=int, default=10)
    parser.add_argument("--port", type=int, default=8010)
    options = parser.parse_args(argv)
    return guarded(STATE, lambda: bench(options))
