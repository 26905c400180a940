"""kill -9 in the middle of a step, while a rollout runs."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.stack.site import STRATEGY, Site, loaded, until

CHANGES = frozenset({"stage", "start", "shift", "commit", "retire", "restore"})
"""Steps whose verb is an effect: these are hit after it, while its answer is on its way. The worst moment."""

LOOK_EVERY = 0.01  # seconds
CLAIMED = """
SELECT s.id, s.name, s.owner, s.fence, g.name AS gateway, g.facts FROM upgrader_steprun s
JOIN upgrader_upgrade u ON u.id = s.upgrade_id JOIN fleet_gateway g ON g.id = u.gateway_id WHERE s.state = 'claimed'
"""


@dataclass
class Hunt:
    """Kills `victim` once in each step of `wanted`, as a rollout comes to them."""

    site: Site
    victim: str  # "worker" or "broker"
    wanted: set[str]
    before: dict[str, dict[str, int]] = field(init=False)  # the gateways' effects when it began

    def __post_init__(self) -> None:
        self.before = self.site.effects()

    def begin(self, release: str) -> int:
        """Let the people start a rollout, and hunt already while their pages load; its number."""
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(self.site.people().start, release, STRATEGY)
            while not started.done():
                self._look()
                time.sleep(LOOK_EVERY)
            return started.result()

    def follow(self, rollout: int, *, to: str, seconds: float) -> None:
        """Hunt until the rollout's state is `to`; AssertionError with what it says when it does not come there."""
        deadline = time.monotonic() + seconds
        while (row := self._rollout(rollout))["state"] != to:
            assert time.monotonic() < deadline, f"{row['state']} after {seconds:.0f} s: {row['reason']}"
            self._look()
            time.sleep(LOOK_EVERY)
        assert not self.wanted, f"never hit: {sorted(self.wanted)}"

    def done(self) -> dict[str, dict[str, int]]:
        """Gateway → effects since the hunt began, renewals of a trial left out."""
        return {
            name: dict(Counter(effects) - Counter(self.before[name]) - Counter(renew=effects.get("renew", 0)))
            for name, effects in self.site.effects().items()
        }

    def _rollout(self, number: int) -> dict[str, Any]:
        return self.site.ask("SELECT state, reason FROM upgrader_rollout WHERE id = ?", number)[0]

    def _look(self) -> None:
        pids = self.site.pids() if self.wanted else {}
        if not pids:
            return
        for step in self.site.ask(CLAIMED):
            # Not what a worker that we killed had claimed.
            at_work = f":{pids.get('worker')}-" in step["owner"]
            if at_work and step["name"] in self.wanted and self.victim in pids and self._ripe(step):
                self._strike(step, pids[self.victim])
                return

    def _ripe(self, step: dict[str, Any]) -> bool:
        verb, gateway = step["name"], step["gateway"]
        if verb not in CHANGES:
            return True
        return int(loaded(step["facts"])["simulation"]["effects"].get(verb, 0)) > self.before[gateway].get(verb, 0)

    def _strike(self, step: dict[str, Any], pid: int) -> None:
        """Freeze it, make sure that the step has not ended meanwhile, kill it, and wait for the next one."""
        os.kill(pid, signal.SIGSTOP)
        still = self.site.ask(f"{CLAIMED} AND s.id = ? AND s.fence = ?", step["id"], step["fence"])
        os.kill(pid, signal.SIGKILL if still else signal.SIGCONT)
        if still:
            self.wanted.discard(step["name"])
            print(f"killed the {self.victim} in {step['name']} of {step['gateway']}")
            until(lambda: self.site.pids().get(self.victim, pid) != pid, what=f"no new {self.victim}")


def recorded(site: Site, rollout: int) -> tuple[Counter[tuple[int, str]], Counter[tuple[int, str]]]:
    """(upgrade, step) → how often: steps that are done, by their rows and by the record."""
    rows = site.ask(
        "SELECT s.upgrade_id, s.name FROM upgrader_steprun s JOIN upgrader_upgrade u ON u.id = s.upgrade_id"
        " JOIN upgrader_wave w ON w.id = u.wave_id WHERE s.state = 'done' AND w.rollout_id = ?",
        rollout,
    )
    events = site.ask("SELECT subject, body FROM approvals_auditevent WHERE verb = 'step.done'")
    said = [(event["subject"], loaded(event["body"])["details"]) for event in events]
    return (
        Counter((int(row["upgrade_id"]), str(row["name"])) for row in rows),
        Counter((int(who.partition(":")[2]), str(what["step"])) for who, what in said if what["rollout"] == rollout),
    )
