"""Bad days on the lab: real gateways with real users, PostgreSQL, Redis, web, workers and clocks that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import faults
from lab.demo import stage, watch
from lab.demo.dashboard import ROOT, Dashboard, DemoError
from lab.demo.once import bad_release_of
from lab.demo.pages import PageError
from lab.demo.people import OVER, People
from tests.chaos.revived import Revived, both
from tests.gateway.ocgate.door import Door
from tests.stack.conftest import free_port
from tests.stack.site import Site, pids, unit

GATEWAYS, USERS = 3, 6
STRATEGY = "Bad days"
SPEC: dict[str, Any] = {
    "waves": [{"title": "first", "count": 1}, {"title": "rest", "rest": True}],
    "observe_seconds": 8,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "at_once": 3,
    "promote": "machine",
    "limits": {"login_success_min": 0.98, "min_logins": 6, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}
PROGRAMS = ("web", "worker", "clock", "crew")
WITHIN = 150.0  # seconds for a rollout to come to its end
BREATH = (0.3, 4.0)  # seconds between two bad things


@dataclass
class Days:
    """What was done to the lab and what was found, as a report of tests/chaos."""

    seed: int
    rollouts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[tuple[str, str]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def told(self, line: str) -> None:
        self.story.append(f"{time.monotonic() - self.began:7.1f} {line}")
        print(f"lab {self.story[-1]}", flush=True)

    def break_(self, what: str, say: str) -> None:
        self.told(f"BROKEN {what}: {say}")
        self.broken.append((what, say))


class Company:
    """The lab with the dashboard on it, and who can be hit."""

    def __init__(self, days: Days, standing: stage.Stage, servers: dict[str, Revived]) -> None:
        assert standing.lab
        self.days, self.lab, self.dashboard, self.servers = days, standing.lab, standing.dashboard, servers
        self.dice = random.Random(days.seed)
        self.people = People(self.dashboard.address, standing.passwords, say=days.told)
        self.site = Site(self.dashboard.state, port=0, env=self.dashboard.env)
        self.rebooted: set[str] = set()
        self.bad = False  # the release of this rollout

    def pid(self, program: str) -> int:
        """A process of the supervisor's that runs this program now; 0: none does."""
        return pids(self.dashboard.pid).get(program, 0)

    def strike(self) -> None:
        """One bad thing, at this moment."""
        kinds: dict[str, Callable[[], None]] = {
            **{f"kill {name}": lambda name=name: self.kill(name) for name in PROGRAMS},  # type: ignore[misc]  # bound now
            **{f"kill {name}": server.kill for name, server in self.servers.items()},
            "freeze worker": self.freeze,
            "partition": self.partition,
            "reboot": self.reboot,
        }
        # A reboot ends sessions, and empties the old slot: seldom, and not where people want to go back to that.
        weights = [int(self.bad) if kind == "reboot" else 4 for kind in kinds]
        kind = self.dice.choices(list(kinds), weights)[0]
        self.days.faults[kind] += 1
        self.days.told(f"fault: {kind}")
        kinds[kind]()

    def kill(self, program: str) -> None:
        if pid := self.pid(program):
            os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """It stands still for longer than the shortest leases."""
        if pid := self.pid("worker"):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.dice.choice((1.0, 5.0, 22.0)))
            os.kill(pid, signal.SIGCONT)

    def partition(self) -> None:
        with faults.cut_off(self.dice.choice(self.lab.gateways)):
            time.sleep(self.dice.choice((1.0, 4.0, 8.0)))

    def reboot(self) -> None:
        gateway = self.dice.choice(self.lab.gateways)
        self.rebooted.add(gateway.name)
        gateway.reboot()

    def patient(self, act: Callable[[], Any]) -> Any:
        """A person who loads the page again when it does not answer."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return act()
            except (PageError, OSError) as trouble:
                if time.monotonic() > deadline:
                    raise
                self.days.told(f"people: again, for {str(trouble)[:100]}")
                time.sleep(1)

    def state(self, number: int) -> tuple[str, str]:
        row = self.patient(lambda: self.people.look(number))
        return str(row["state"]), str(row["why"])

    def carried(self, number: int, *goals: str) -> str:
        """Strike now and then until the rollout is there; people go on with what waits for them. Its last state."""
        deadline, hits = time.monotonic() + WITHIN, self.dice.choice((1, 2, 3))
        while True:
            state, why = self.state(number)
            if state in goals or time.monotonic() > deadline:
                return state
            if hits:
                time.sleep(self.dice.uniform(*BREATH))
                self.strike()
                hits -= 1
            elif state == "waiting_promotion":
                self.press(number, "promote")
            elif state == "held":
                self.days.told(f"held: {why[:120]}")
                self.agree(number) if "second person" in why else self.press(number, "resume")
            time.sleep(0.5)

    def press(self, number: int, button: str) -> None:
        """A button may be gone meanwhile: then the next look says what is to be done."""
        try:
            self.people.press(number, button, reason="It is looked at.")
        except (PageError, OSError) as no:
            self.days.told(f"people: {button}: {str(no)[:100]}")

    def agree(self, number: int) -> None:
        """Where an old slot is gone already, a rollback waits for a second person's yes."""
        oncall = self.people.oncall
        try:
            form = oncall.get(f"/decisions/{number}/?do=agree-back").form("/agree-back/")
            oncall.send(form, reason="It is a drill.")
        except (PageError, OSError) as no:
            self.days.told(f"people: agree: {str(no)[:100]}")


def play(company: Company, number: int) -> None:
    """One rollout: a bad release that comes back by itself, or a good one that people take back."""
    bad = bad_release_of(company.lab)
    company.bad = company.dice.random() < 0.4
    name = bad if company.bad else bad.removesuffix("+bad")
    before = watch.users(company.lab)
    company.rebooted.clear()
    started = begun(company, name)
    company.days.told(f"rollout {number + 1}: {name} is number {started}")
    state = company.carried(started, "draining", *OVER)
    if state == "draining":
        company.patient(lambda: company.people.roll_back(started, "It was a drill."))
        state = company.carried(started, *OVER)
    company.days.rollouts += 1
    if state != "rolled_back":
        company.days.break_("way on", f"rollout {started} ({name}) is {state}: {company.state(started)[1]}")
    check(company, before)


def begun(company: Company, release: str) -> int:
    """Started by people whose browser may be cut off in the middle: what they planned is found again."""
    try:
        return company.people.start(release, STRATEGY)
    except (PageError, OSError) as no:
        company.days.told(f"people: {str(no)[:120]}")
        time.sleep(2)
        return int(company.patient(lambda: company.people.start(release, STRATEGY)))


def check(company: Company, before: watch.Users) -> None:
    """After each rollout: who is still on, what each gateway says itself, and what our rows say."""
    days, after = company.days, watch.users(company.lab)
    mine = {row for row in before.sessions_of if row[0] not in company.rebooted}
    if lost := mine - after.sessions_of:
        days.break_("cut", f"{', '.join(sorted(user for _, user, _ in lost))} lost their sessions")
    rows = {row["name"]: row for row in company.site.ask("SELECT name, release, fence FROM fleet_gateway")}
    for gateway in company.lab.gateways:
        with Door(gateway) as door:
            facts = door.ask("facts")
        committed = (facts["committed"] or {}).get("release")
        if facts["trial"] is not None or facts["weights"] != {str(facts["committed"]["slot"]): 100}:
            days.break_("releases", f"{gateway.name} sends new users to {facts['weights']} when all is over")
        if committed != rows[gateway.name]["release"]:
            days.break_("views", f"{gateway.name} serves {committed}, the row says {rows[gateway.name]['release']}")
        if facts["fence"] > rows[gateway.name]["fence"]:
            days.break_("fence", f"{gateway.name} has seen fence {facts['fence']}, the row says less")
    sit_down(company, after)


def sit_down(company: Company, after: watch.Users) -> None:
    """Users of a gateway that rebooted sign in again before the next rollout."""
    here = {user for _, user, _ in after.sessions_of}
    out = [client for client in company.lab.clients.all if client.user not in here]
    for client in out:
        client.vpn.stop()
    company.lab.clients.connect(out)


def at_the_end(company: Company) -> None:
    late = company.site.ask(
        "SELECT s.id, s.name FROM upgrader_steprun s WHERE s.state = 'claimed' AND s.lease_until < now()"
    )
    for step in late:
        company.days.break_("settled", f"step {step['id']} ({step['name']}) is claimed and its lease is over")
    try:
        company.dashboard.manage("audit", "verify")
    except DemoError as finding:
        company.days.break_("record", str(finding))


@contextmanager
def beside(dashboard: Dashboard) -> Iterator[None]:
    """A second clock and a worker that takes what all others take, as on another machine."""
    running = []
    with ExitStack() as stack:
        for program in ("worker", "clock"):
            log = stack.enter_context((dashboard.state / "logs" / f"second-{program}.log").open("wb"))
            running.append(subprocess.Popen(unit(program), cwd=ROOT, env=dashboard.env, stdout=log, stderr=log))
        try:
            yield
        finally:
            for process in running:
                process.kill()
                process.wait()


def run(seed: int, rollouts: int) -> Days:
    """So many rollouts on a lab of their own; everything is taken down at the end."""
    days = Days(seed)
    with tempfile.TemporaryDirectory(prefix="handover-days-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else
        with both(folder) as (env, servers):
            dashboard = Dashboard(folder / "state", port=free_port(), simulated=False, say=days.told)
            dashboard.env |= env
            dashboard.options = ("--longest-pause", "0.5")
            more = {"strategies": {"bad-days": {"title": STRATEGY, "spec": SPEC}}}
            with stage.real(dashboard, gateways=GATEWAYS, users=USERS, more=more) as standing, beside(dashboard):
                company = Company(days, standing, servers)
                for number in range(rollouts):
                    play(company, number)
                at_the_end(company)
    return days


def main() -> int:
    # Whoever ends us gets a lab that is taken down, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    days = run(int(sys.argv[1]), int(sys.argv[2]))
    report = {"seed": days.seed, "lab_rollouts": days.rollouts, "faults": days.faults, "broken": days.broken}
    print(json.dumps(report), flush=True)
    return 1 if days.broken else 0


if __name__ == "__main__":
    sys.exit(main())
