"""`script/bench verdict`: how soon a bad release is gone, and whether a good one is ever taken back. Real users.

Users sign in and out on the canary all the time. The bad release refuses two of three new connections after its first
dozen (lab/badness.py). The clock begins when the first login begins that does not succeed on it, a user's or a probe's;
it ends when the gateway's rollback is done: new clients go to the old release, and a login there has succeeded.
The good release is watched for its whole window, ten times in a row, and taken back by the operator each time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import statistics
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bench.guard import guarded
from bench.handover import silent_clock
from bench.urgent import is_free
from bench.waiting import wait_until
from lab.demo import stage
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.people import People
from lab.fleet import Lab

STATE, PORT, TITLE = ROOT / "var/bench-verdict", 8018, "Bench verdict"
INTERVAL = 5  # seconds: the collector's, and between two looks
WINDOW = 60  # seconds
RATE = 1.0  # users a second
WITHIN, BACK_WITHIN = 240.0, 120.0  # seconds
AT_MOST = 2 * INTERVAL + 1


def spec(canary: str) -> dict[str, Any]:
    paces = {"observe_seconds": WINDOW, "poll_seconds": INTERVAL, "trial_seconds": 300, "at_once": 1}
    waves = [{"title": "one", "names": [canary]}, {"title": "rest", "rest": True}]
    limits = {"login_success_min": 0.98, "min_logins": 10, "restarts_max": 0}
    return {"waves": waves, **paces, "promote": "hand", "limits": limits, "drain": {"deadline_hours": 24}}


def asked(query: str, number: int) -> float:
    """The moment that a query about a rollout answers, epoch seconds; infinite for none. Reads the dashboard's file."""
    where = f"file:{STATE}/handover.sqlite3?mode=ro"
    with contextlib.closing(sqlite3.connect(where, uri=True, timeout=20)) as base:
        (found,) = base.execute(query, [number]).fetchone()
    return datetime.fromisoformat(found).replace(tzinfo=UTC).timestamp() if found else float("inf")


STEPS = (
    " FROM upgrader_steprun s JOIN upgrader_upgrade u ON u.id = s.upgrade_id"
    " JOIN upgrader_wave w ON w.id = u.wave_id WHERE w.rollout_id = ? AND s.state = 'done' AND s.name = "
)
SHIFTED = f"SELECT min(s.finished_at) {STEPS} 'shift'"
BACK = f"SELECT max(s.finished_at) {STEPS} 'restore'"
PROBE_FAILED = (
    "SELECT min(p.at) FROM fleet_sample p JOIN upgrader_upgrade u ON u.gateway_id = p.gateway_id AND u.to_slot = p.slot"
    " JOIN upgrader_wave w ON w.id = u.wave_id JOIN upgrader_steprun s ON s.upgrade_id = u.id AND s.name = 'observe'"
    " WHERE w.rollout_id = ? AND p.at >= s.started_at AND json_extract(p.\"values\", '$.probe_ok') = 0"
)


def bad_turn(lab: Lab, people: People) -> float:
    """Seconds from the first bad login on the bad release to the end of its rollback."""
    number = people.start(next(name for name in lab.releases if name.endswith("+bad")), TITLE)
    seen = people.carry(number, until=("rolled_back", "waiting_promotion"), seconds=WITHIN)
    if seen["state"] != "rolled_back":
        raise DemoError(f"The bad release was not taken back: rollout {number} is {seen['state']}: {seen['why']}")
    shifted, back = asked(SHIFTED, number), asked(BACK, number)
    users = [one["at"] - one["seconds"] for one in lab.churn.report()["failures"]]
    first = min([asked(PROBE_FAILED, number), *(at for at in users if shifted <= at <= back)])
    wait_free(lab)
    people.say(f"bad: gone {back - first:.1f} s after the first bad login. {seen['waves'][0]['verdict']['sentence']}")
    return round(float(back - first), 2)


def good_turn(lab: Lab, people: People) -> str:
    """What became of the good release at the end of its window: a verdict's outcome, or "rolled_back"."""
    release = next(name for name in list(lab.releases)[1:] if not name.endswith("+bad"))
    number = people.start(release, TITLE)
    seen = people.carry(number, until=("rolled_back", "waiting_promotion"), seconds=WITHIN)
    verdict = seen["waves"][0]["verdict"] or {}
    people.say(f"good: {seen['state']}. {verdict.get('sentence', '')}")
    if seen["state"] == "waiting_promotion":
        people.roll_back(number, "Measured")
        people.carry(number, until=("rolled_back",), seconds=BACK_WITHIN)
        wait_free(lab)
        return str(verdict.get("outcome", ""))
    return str(seen["state"])


def wait_free(lab: Lab) -> None:
    for gateway in lab.gateways:
        wait_until(partial(is_free, gateway), seconds=BACK_WITHIN, what=f"{gateway.name} is not free again")


def measured(options: argparse.Namespace) -> dict[str, Any]:
    say = silent_clock()
    dashboard = Dashboard(STATE, port=PORT, simulated=False, say=say)
    dashboard.env |= {"HANDOVER_INVENTORY_SECONDS": "86400", "HANDOVER_COLLECT_SECONDS": str(INTERVAL)}
    more: dict[str, Any] = {"budget": {"gateways_percent": 100}}
    with Lab(gateways=2, users=options.users, say=say) as lab:
        canary = lab.gateways[0].name
        more["strategies"] = {"bench-verdict": {"title": TITLE, "spec": spec(canary)}}
        dashboard.prepare()
        running = stage.opened(dashboard, {**lab.inventory(), **more}, lab)
        try:
            people = People(dashboard.address, running.passwords, say=say)
            lab.churn.start(RATE, gateways=[canary])
            bad = [bad_turn(lab, people) for _ in range(options.rounds)]
            good = [good_turn(lab, people) for _ in range(options.good)]
        finally:
            lab.churn.stop()
            dashboard.stop()
    return told(bad, good)


def told(bad: list[float], good: list[str]) -> dict[str, Any]:
    median = statistics.median(bad) if bad else 0.0
    return {
        "bad_login_to_rollback_median_s": median,
        "intervals": round(median / INTERVAL, 2),
        "interval_s": INTERVAL,
        "bad_login_to_rollback_s": bad,
        "good_releases": len(good),
        "false_rollbacks": sum(one == "rolled_back" for one in good),
        "good_verdicts": good,
    }


def promises(figures: dict[str, Any]) -> list[str]:
    """The promises that did not hold."""
    held = {
        "gone within two intervals and a second": figures["bad_login_to_rollback_median_s"] <= AT_MOST,
        "no good release taken back": figures["false_rollbacks"] == 0,
    }
    return [name for name, kept in held.items() if not kept]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench verdict", description="From a bad login to its rollback's end.")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--rounds", type=int, default=10, help="bad releases, one after the other")
    parser.add_argument("--good", type=int, default=10, help="good releases, one after the other")
    parser.add_argument("--users", type=int, default=4, help="users who stay signed in")
    options = parser.parse_args(argv)

    def work() -> int:
        figures = measured(options)
        figures["broken"] = promises(figures)
        table = "\n".join(f"{name:32} {value}" for name, value in figures.items())
        print(json.dumps(figures) if options.json else table)
        return 1 if figures["broken"] else 0

    return guarded(STATE, work)
