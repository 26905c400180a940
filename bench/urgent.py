"""`script/bench rollback`: from FAIL to the old slot, while other gateways are being sent 10 MB each on slow lines.

FAIL is made on the gateway: the new release's ocserv is killed, its service starts it anew, and the strategy allows no
restart. The clock begins with the evidence, when the worker writes down the answer that shows it: verdict, decision,
messages and the gateway's own work are all in it. It ends with the first new connection that the gateway's connection
tracking shows on the old slot. The gateway by itself would have gone on with the new one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bench.guard import guarded
from bench.handover import silent_clock
from bench.knocks import EVERY, Knocks
from bench.waiting import wait_until, weights
from lab.commands import run
from lab.demo import stage
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.people import People
from lab.fleet import Lab
from lab.gateway import Gateway

STATE = ROOT / "var/bench-rollback"
ONE, TWELVE, SIZE, PORT = "Bench one", "Bench twelve", 10_000_000, 8014
RATE = "1mbit"  # of a line under load: 80 s for a bundle
POLL = 1  # seconds
PACES = {"poll_seconds": POLL, "trial_seconds": 300, "at_once": 24, "promote": "hand", "observe_seconds": 900}
REST = {"limits": {"login_success_min": 0.0, "min_logins": 1, "restarts_max": 0}, "drain": {"deadline_hours": 24}}


def spec(*waves: dict[str, Any]) -> dict[str, Any]:
    return {"waves": list(waves), **PACES, **REST}


def one_turn(lab: Lab, people: People, gateways: list[Gateway], strategy: str) -> float:
    """Milliseconds until the last of these gateways served new clients from its old slot.

    Strangers of earlier turns are known to a gateway, so each turn goes on after them. Many gateways are knocked at
    half as often: one process knocks at them all.
    """
    number = people.start(next(name for name in lab.releases if name.endswith("mb")), strategy)
    names = {gateway.name for gateway in gateways}
    wait_until(lambda: observed(people, number) == names, seconds=120, what=f"{names} are not observed alone")
    with contextlib.ExitStack() as stack:
        every = EVERY * (1 + (len(gateways) > 1))
        made = [Knocks(lab, one, every=every, first=KNOWN[one.name]) for one in gateways]
        knocks = [stack.enter_context(knock) for knock in made]
        for knock in knocks:
            knock.wait_for(2, after=time.time(), seconds=20)
        gateways[0].run(["sh", "-c", CRASH])
        failed = wait_failed(number)
        back = [knock.wait_for(1, after=failed, seconds=30) for knock in knocks]
        time.sleep(0.5)
    KNOWN.update({knock.gateway.name: knock.first for knock in knocks})
    seen = people.carry(number, until=("rolled_back",), seconds=120)
    if seen["state"] != "rolled_back":
        raise DemoError(f"Rollout {number} is {seen['state']}: {seen['why']}")
    for gateway in lab.gateways:
        wait_until(partial(is_free, gateway), seconds=60, what=f"{gateway.name} is not free again")
    took = round(1000 * (max(back) - failed), 1)
    people.say(f"{strategy}: {took} ms")
    return took


KNOWN: Counter[str] = Counter()  # how many strangers have knocked at each gateway so far
CRASH = 'kill -9 "$(cat /run/ocgate/2/ocserv.pid)"'
# A program that was killed leaves its file: whether the one that it names runs is what counts.
RUNS = 'pid=$(cat /run/ocgate/2/ocserv.pid 2>/dev/null) && kill -0 "$pid" 2>/dev/null && echo "$pid" || true'


def observed(people: People, number: int) -> set[str]:
    upgrades = people.look(number)["upgrades"]
    return {upgrade["gateway"] for upgrade in upgrades if upgrade["state"] == "observing"}


def is_free(gateway: Gateway) -> bool:
    """Whether it serves from its first slot alone; what was sent of the bundle is thrown away."""
    gateway.run(["sh", "-c", "rm -rf /var/lib/ocgate/incoming/*"])
    return weights(gateway) == {"1": 100} and not gateway.run(["sh", "-c", RUNS])


def wait_failed(number: int) -> float:
    """When the answer was written down that shows the crash, epoch seconds.

    Seen at once, the slot does not run; seen later, it was restarted. Either way the step that watches is due again a
    known time after it was settled.
    """
    query = (
        "SELECT min(s.due_at) FROM upgrader_steprun s JOIN upgrader_upgrade u ON u.id = s.upgrade_id"
        " JOIN upgrader_wave w ON w.id = u.wave_id WHERE w.rollout_id = ? AND s.name = 'observe'"
        " AND (json_extract(s.result, '$.lost') <> '' OR json_extract(s.result, '$.tally.canary.restarts') > 0)"
    )
    found: list[str] = []
    where = f"file:{STATE}/handover.sqlite3?mode=ro"

    def came() -> bool:
        with contextlib.closing(sqlite3.connect(where, uri=True, timeout=20)) as base:
            found[:] = [row[0] for row in base.execute(query, [number]) if row[0]]
        return bool(found)

    wait_until(came, seconds=60, what="nobody noticed the crash")
    return datetime.fromisoformat(found[0]).replace(tzinfo=UTC).timestamp() - POLL


def slow_down(lab: Lab, gateways: list[Gateway]) -> None:
    """Let what is sent to these gateways go through a slow line."""
    networks = lab.clients.networks
    for gateway in gateways:
        port = networks.name(f"m{gateway.at.index}")
        run(["tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", RATE, "burst", "64kb", "latency", "400ms"])


def measured(options: argparse.Namespace) -> dict[str, Any]:
    say = silent_clock()
    with Lab(gateways=options.many + options.load, users=0, say=say) as lab:
        fast, slow = lab.gateways[: options.many], lab.gateways[options.many :]
        good = lab.builder.padded(lab.builder.debian()[1], size=SIZE)
        lab.releases[good.release] = good.folder
        rest = {"title": "rest", "rest": True}
        first = {"title": "one", "names": [gateway.name for gateway in (fast[0], *slow)]}
        strategies = {
            "bench-one": {"title": ONE, "spec": spec(first, rest)},
            "bench-all": {"title": TWELVE, "spec": spec(rest)},
        }
        dashboard = Dashboard(STATE, port=PORT, simulated=False, say=say)
        dashboard.env |= {"HANDOVER_INVENTORY_SECONDS": "86400"}
        dashboard.prepare()
        more = {"strategies": strategies, "budget": {"gateways_percent": 100}}
        running = stage.opened(dashboard, {**lab.inventory(), **more}, lab)
        try:
            slow_down(lab, slow)
            people = People(dashboard.address, running.passwords, say=say)
            one = sorted(one_turn(lab, people, fast[:1], ONE) for _ in range(options.rounds))
            twelve = sorted(one_turn(lab, people, fast, TWELVE) for _ in range(max(1, options.rounds // 4)))
        finally:
            dashboard.stop()
    p95 = one[min(len(one) - 1, round(0.95 * len(one)))]
    many = "twelve" if len(fast) == 12 else f"{len(fast)}_together"
    median = {"one_p50_ms": one[len(one) // 2], f"{many}_ms": twelve[len(twelve) // 2]}
    return {"one_p95_ms": p95, **median, "one_times_ms": one, f"{many}_times_ms": twelve, "under_load": len(slow)}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench rollback", description="From FAIL to the old slot, under load.")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--rounds", type=int, default=12, help="rollbacks of one gateway; a quarter as many of twelve")
    parser.add_argument("--many", type=int, default=12, help="gateways that go back together")
    parser.add_argument("--load", type=int, default=4, help="gateways that are being sent 10 MB each meanwhile")
    options = parser.parse_args(argv)

    def work() -> int:
        found = measured(options)
        print(json.dumps(found) if options.json else "\n".join(f"{name:18} {value}" for name, value in found.items()))
        return 0

    return guarded(STATE, work)
