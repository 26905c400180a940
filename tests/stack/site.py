"""The whole product as its own processes, on a simulated fleet, watched from outside: rows, process ids, pages."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

from bench.usage import called, family
from lab.demo import simulated
from lab.demo.dashboard import ROOT, Dashboard
from lab.demo.pages import Browser, PageError
from lab.demo.people import People

GOOD, NEXT, BAD = *simulated.NEW, simulated.BAD
STRATEGY = "Stack test"
ONCE = {"stage": 1, "start": 1, "shift": 1, "commit": 1, "retire": 1}  # what one rollout does to each gateway
SPEC: dict[str, Any] = {
    "waves": [{"title": "all", "rest": True}],
    "observe_seconds": 2,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "at_once": 2,
    "promote": "machine",
    "limits": {"login_success_min": 0.98, "min_logins": 2, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}
PASSWORDS = {name: f"{name}-of-the-stack" for name in ("operator", "oncall", "auditor")}
PROGRAMS = {"valkey-server": "broker", "crew": "crew", "web": "web", "worker-0": "worker", "clock": "clock"}
"""What a process of the supervisor's calls itself → which program it is."""
ASKED_IN = 0.4  # seconds of a simulated gateway's answer: what it changes happens in the middle
STAGED_IN = 1.0  # seconds


def until(true: Callable[[], object], *, what: str, seconds: float = 60) -> None:
    """Wait; AssertionError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s: {what}"
        time.sleep(0.02)


def seed(state: Path, env: dict[str, str]) -> None:
    """Fill a fresh state folder: two gateways, three releases, three people, one strategy."""
    dashboard = Dashboard(state, port=0, simulated=True, say=print)
    dashboard.env |= env
    dashboard.prepare()
    inventory = simulated.inventory(state / "simulated", gateways=2)
    for gateway in inventory["gateways"]:
        gateway["simulate"] |= {"mean_seconds": 2.0, "pace": STAGED_IN}
        # The probe of the fresh slot passes and nothing after it: two looks are enough, and a slow machine has no more.
        gateway["simulate"]["faults"] = {"slow_seconds": ASKED_IN, "bad_logins_after": {BAD: 1}}
    inventory["budget"] = {"gateways_percent": 100}
    inventory["strategies"] = {"stack": {"title": STRATEGY, "spec": SPEC}}
    path = state / "inventory.json"
    path.write_text(json.dumps(inventory))
    dashboard.manage("seed_demo", str(path), stdin=json.dumps(PASSWORDS))


class Site:
    """One dashboard that runs. `env` may bring DATABASE_URL and REDIS_URL."""

    def __init__(self, state: Path, *, port: int, env: dict[str, str]) -> None:
        self.dashboard = Dashboard(state, port=port, simulated=True, say=print)
        # One worker: whoever is killed is the one at work.
        self.dashboard.env |= {"HANDOVER_WORKERS": "1", **env}
        self.dashboard.options = ("--longest-pause", "0.3")
        self._database = env.get("DATABASE_URL", "")

    def people(self) -> People:
        return People(self.dashboard.address, PASSWORDS, say=print)

    def serves(self) -> bool:
        """Can somebody sign in and see the gateways?"""
        browser = Browser(self.dashboard.address)
        with suppress(PageError):
            browser.sign_in("auditor", PASSWORDS["auditor"])
            return browser.get("/gateways/").status == 200
        return False

    def looked_at(self) -> str:
        """When a gateway was last looked at: the clock says when, a worker does it."""
        return str(self.ask("SELECT max(facts_at) AS at FROM fleet_gateway")[0]["at"])

    def pids(self) -> dict[str, int]:
        """Program → process id, of those that run now."""
        return pids(self.dashboard.pid)

    def ask(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of the product's database, read from outside."""
        if self._database:
            return self._ask_postgres(query.replace("?", "%s"), values)
        path = self.dashboard.state / "handover.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as base:
            base.row_factory = sqlite3.Row
            return [dict(row) for row in base.execute(query, values)]

    def _ask_postgres(self, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
        with psycopg.connect(self._database) as base:
            cursor = base.cursor(row_factory=psycopg.rows.dict_row)
            return list(cursor.execute(query.encode(), values))

    def effects(self) -> dict[str, dict[str, int]]:
        """Gateway → verb → how often it really changed something there."""
        rows = self.ask("SELECT name, facts FROM fleet_gateway")
        return {row["name"]: loaded(row["facts"])["simulation"]["effects"] for row in rows}


def loaded(value: Any) -> Any:
    """A JSON column: SQLite gives its text."""
    return json.loads(value) if isinstance(value, str) else value


def pids(supervisor: int) -> dict[str, int]:
    """Program → process id, of what the supervisor and its crew run now."""
    return {PROGRAMS[name]: pid for pid in family(supervisor) if (name := called(pid)) in PROGRAMS}


def unit(program: str) -> list[str]:
    """The command of a program on a machine of its own, as contrib/systemd starts it, with this Python."""
    text = (ROOT / "contrib" / "systemd" / f"handover-{program}.service").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    python, *words = line.removeprefix("ExecStart=").split()
    assert python.endswith("/bin/python"), line
    return [sys.executable, *words]


def gone(pid: int) -> bool:
    """True when the process is no more, or a zombie that its reaper has not collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def running(seeded: Path | None, *, port: int, env: dict[str, str] | None = None) -> Iterator[Site]:
    """A site on a copy of a seeded folder, or freshly seeded; it ends with the test, its state too."""
    # Not pytest's folder: the path of a unix socket is short.
    folder = Path(tempfile.mkdtemp(prefix="handover-stack-"))
    try:
        if seeded:
            shutil.copytree(seeded, folder, dirs_exist_ok=True)
        else:
            seed(folder, env or {})
        site = Site(folder, port=port, env=env or {})
        try:
            site.dashboard.start()
            yield site
        finally:
            site.dashboard.stop()
            print_logs(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def print_logs(state: Path) -> None:
    """Shown by pytest when the test failed."""
    for path in (state / "supervisor.log", *sorted((state / "logs").glob("*.log"))):
        print(f"--- {path.name}", *path.read_text().splitlines()[-40:], sep="\n")
