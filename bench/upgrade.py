"""`script/bench upgrade`: twelve real gateways at once from one release to the next, four ways, in one run.

Ours is the whole dashboard with its database, broker and worker, told to by its pages; the others are in others.py. The
bundle of 10 MB comes by HTTP: ours from the dashboard's own downloads, theirs from a plain server beside it. The clock
stops when every gateway sends every new client to the new release. Between two turns all goes back to what it was.
What the gateways do themselves is the same in all four, and is measured apart: the same requests, without any SSH.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench import others, usage
from bench.guard import guarded
from bench.handover import silent_clock
from bench.others import FOLDER, Goods
from bench.waiting import wait_until, weights
from lab.commands import run
from lab.demo import stage
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.people import People
from lab.fleet import Lab
from lab.gateway import Gateway

STATE = ROOT / "var/bench-upgrade"
TITLE, SIZE = "Bench upgrade", 10_000_000
SPEC = {
    "waves": [{"title": "all", "rest": True, "weights": [100]}],
    # Not observed in what is timed: the clock stops at the shift. It stays a trial, so that all can be taken back.
    **{"observe_seconds": 900, "poll_seconds": 30, "trial_seconds": 600, "at_once": 24, "promote": "hand"},
    "limits": {"login_success_min": 0.9, "min_logins": 1, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}
WAYS = ("ours", "paramiko", "openssh", "ansible", "alone")
PORT, FILES = 8012, 8013


class Bench:
    """The lab with the dashboard on it, ready for one turn after the other."""

    def __init__(self, running: stage.Stage, goods: Goods, work: Path) -> None:
        assert running.lab
        self.lab, self.dashboard, self.goods, self.work = running.lab, running.dashboard, goods, work
        self.by_program: dict[str, float] = {}
        self.people = People(running.dashboard.address, running.passwords, say=running.dashboard.say)

    def turn(self, way: str) -> tuple[float, float]:
        """Seconds, and processor milliseconds of the controlling side a gateway; all is verified and taken back."""
        number = 0
        self._each(lambda gateway: others.prepare(gateway, self.goods, fence(gateway)))
        if way == "ours":
            took, cpu, number = self._ours()
        elif way == "alone":
            took, cpu = self._alone()
        else:
            took, cpu = others.timed(way, self.lab.gateways, self.goods, self.work)
        wrong = [gateway.name for gateway in self.lab.gateways if weights(gateway) != {"2": 100}]
        if wrong:
            raise DemoError(f"After {way}, {', '.join(wrong)} did not send every new client to {self.goods.name}.")
        self._back(number)
        return took, 1000 * cpu / len(self.lab.gateways)

    def _ours(self) -> tuple[float, float, int]:
        """From the approver's button on: what comes before it is for people to read."""
        number, approve = self.people.asked(self.goods.name, TITLE)
        before, began = usage.by_program(self.dashboard.pid), time.monotonic()
        approve()
        wait_until(partial(all_carry, self.dashboard.state, number), seconds=others.WITHIN, what="ours did not end")
        took = time.monotonic() - began
        self.by_program = usage.since(before, usage.by_program(self.dashboard.pid), share=len(self.lab.gateways))
        return took, sum(self.by_program.values()) * len(self.lab.gateways) / 1000, number

    def _alone(self) -> tuple[float, float]:
        """What the gateways need without anybody far away: the same requests from a file, all at once."""
        began = time.monotonic()
        self._each(lambda gateway: gateway.run(["sh", "-c", others.SERVE], seconds=others.WITHIN))
        return time.monotonic() - began, 0.0

    def _back(self, number: int) -> None:
        if number:
            self.people.roll_back(number, "Measured")
            until = ("rolled_back",)
            seen = self.people.carry(number, until=until, seconds=60)
            if seen["state"] not in until:
                raise DemoError(f"The rollout is {seen['state']}: {seen['why']}")
        self._each(self._cleared)

    def _cleared(self, gateway: Gateway) -> None:
        at = fence(gateway)
        lines = [
            {"v": 2, "id": "1", "verb": "restore", "fence": at, "args": {"to": "committed"}},
            {"v": 2, "id": "2", "verb": "retire", "fence": at, "args": {"slot": 2, "cut_at_most": 9}},
        ]
        ask = "".join(json.dumps(line) + "\n" for line in lines)
        wait_until(lambda: '"id":"2","ok":true' in serve(gateway, ask), seconds=30, what=f"{gateway.name} is not free")
        releases = "/var/lib/ocgate/releases"
        gateway.run(["sh", "-c", f"rm -rf {releases}/{self.goods.name}* /var/lib/ocgate/incoming/* {FOLDER}/bundle*"])

    def _each(self, act: Any) -> None:
        with ThreadPoolExecutor(len(self.lab.gateways)) as pool:
            list(pool.map(act, self.lab.gateways))


def all_carry(state: Path, number: int) -> bool:
    """Whether every gateway of the rollout takes all new clients on the new release; asked of the database, for a page
    would cost more than what is measured."""
    query = (
        "SELECT r.state, r.reason, u.state FROM upgrader_rollout r JOIN upgrader_wave w ON w.rollout_id = r.id"
        " JOIN upgrader_upgrade u ON u.wave_id = w.id WHERE r.id = ?"
    )
    with contextlib.closing(sqlite3.connect(f"file:{state}/handover.sqlite3?mode=ro", uri=True, timeout=20)) as base:
        rows = base.execute(query, [number]).fetchall()
    if rows[0][0] in ("held", "failed", "rejected"):
        raise DemoError(f"The rollout is {rows[0][0]}: {rows[0][1]}")
    return all(upgrade == "observing" for _, _, upgrade in rows)


def serve(gateway: Gateway, lines: str) -> str:
    return gateway.run(["/usr/lib/ocgate/ocgate", "serve"], stdin=lines).replace(" ", "")


def fence(gateway: Gateway) -> int:
    """The highest that the gateway has seen: equal is the same claim, repeated."""
    line = json.dumps({"v": 2, "id": "1", "verb": "facts", "args": {}}) + "\n"
    return int(json.loads(serve(gateway, line).splitlines()[-1])["result"]["fence"])


@contextmanager
def file_server(folder: Path, address: str) -> Iterator[None]:
    """A plain HTTP server in a process of its own, for those that have no dashboard."""
    argv = [sys.executable, "-m", "http.server", "--bind", address, "--directory", str(folder), str(FILES)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
        try:
            yield
        finally:
            one.kill()


def measured(options: argparse.Namespace) -> dict[str, Any]:
    say = silent_clock()
    lab_size = {"gateways": options.gateways, "users": 0}
    with tempfile.TemporaryDirectory(prefix="bench-") as name, Lab(**lab_size, say=say) as lab:
        work, controller = Path(name), str(lab.clients.networks.controller)
        good = lab.builder.padded(lab.builder.debian()[1], size=SIZE)
        lab.releases = {next(iter(lab.releases)): lab.releases[next(iter(lab.releases))], good.release: good.folder}
        key = work / "key"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        goods = Goods(good.folder, good.release, f"http://{controller}:{FILES}/bundle.tar.zst", key)
        dashboard = Dashboard(STATE, port=PORT, simulated=False, say=say)
        dashboard.env |= {
            "HANDOVER_INVENTORY_SECONDS": "86400",
            "HANDOVER_DOWNLOAD_URL": f"http://{controller}:{PORT}",
            "HANDOVER_HOSTS": f"127.0.0.1,{controller}",
        }
        dashboard.options = ("--host", "0.0.0.0")  # noqa: S104 # nosec B104 - the lab's own bridge is among them
        dashboard.prepare()
        more = {"strategies": {"bench-upgrade": {"title": TITLE, "spec": SPEC}}, "budget": {"gateways_percent": 100}}
        running = stage.opened(dashboard, {**lab.inventory(), **more}, lab)
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda one: dashboard.manage("release", "bring", one.name, "download"), lab.gateways))
            with file_server(good.folder, controller):
                return turns(Bench(running, goods, work), options.rounds, say)
        finally:
            dashboard.stop()


def turns(bench: Bench, rounds: int, say: Any) -> dict[str, Any]:
    """Each way once a round, in another order each time; medians. Before that it is done once, and not counted."""
    others.ansible_home()
    say(f"ours: {bench.turn('ours')[0]:.2f} s, to warm up")
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        order = WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]
        for way in order:
            lasted, milliseconds = bench.turn(way)
            say(f"{way}: {lasted:.2f} s, {milliseconds:.0f} ms of processor time a gateway")
            took[way].append(lasted)
            cpu[way].append(milliseconds)
    seconds = {way: round(statistics.median(found), 2) for way, found in took.items()}
    return figures(seconds, {way: round(statistics.median(found), 1) for way, found in cpu.items()}) | {
        "gateways": len(bench.lab.gateways),
        "ours_cpu_ms_by_program_last": bench.by_program,
        "rounds": rounds,
        "times_s": {way: [round(one, 2) for one in found] for way, found in took.items()},
    }


def figures(seconds: dict[str, float], cpu: dict[str, float]) -> dict[str, Any]:
    own = seconds["alone"]
    return {
        **{f"{way}_s": seconds[way] for way in WAYS if way != "alone"},
        "gateways_own_s": own,
        **{f"{way}_cpu_ms_per_gateway": cpu[way] for way in WAYS if way != "alone"},
        "times_paramiko": round(seconds["ours"] / seconds["paramiko"], 2),
        "ansible_times_ours": round(seconds["ansible"] / seconds["ours"], 2),
        # What each adds to what the gateways need anyway.
        "beyond_own_s": {way: round(seconds[way] - own, 2) for way in WAYS if way != "alone"},
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench upgrade", description="An upgrade at once, four ways.")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    parser.add_argument("--gateways", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)

    def work() -> int:
        found = measured(options)
        print(json.dumps(found) if options.json else "\n".join(f"{name:28} {value}" for name, value in found.items()))
        return 0

    return guarded(STATE, work, RuntimeError)
