"""The controller's core on a real gateway: its rows, engine and steps in this process, SSH to the lab's machine.

The cast is that of the tests in memory: ola operates, cal is on call and approves, ada may only look.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from approvals.models import Actor
from fleet import gateways, sealed
from fleet import services as fleet_services
from fleet.gateways.rows import SSH_KEY
from fleet.models import Gateway, Pool
from lab.commands import wait_until
from lab.fleet import Lab
from lab.networks import batch
from releases import services as releases
from releases import signers
from releases.models import ChannelPolicy, Release
from tests.db.upgrader.world import NEW, OLD, Fleet, free_budget
from tests.gateway.ocgate import guests
from upgrader import engine, run, selectors
from upgrader.models import Rollout, StepRun, Strategy, Upgrade
from upgrader.states import S
from upgrader.why import why

SPEC: dict[str, Any] = {
    "waves": [{"title": "all", "rest": True, "weights": [100]}],
    "observe_seconds": 6,
    "poll_seconds": 1,
    "trial_seconds": 60,
    "at_once": 1,
    "promote": "machine",
    "limits": {"login_success_min": 0.98, "min_logins": 3, "restarts_max": 0},
    "drain": {"deadline_hours": 24},
}
PAUSE = 0.1  # seconds between two looks at what is due
MACHINE = Actor.machine("test")


class RealFleet(Fleet):
    """The lab's one gateway enrolled, its releases at hand, three people; the clock is the real one."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.machine = lab.gateways[0]
        self.pool = Pool.objects.create(name="edge", channel="candidate")
        ChannelPolicy.objects.get_or_create(channel="candidate")
        free_budget()
        sealed.seal(SSH_KEY, lab.controller_key.read_bytes())
        self.row = self.enrol()
        key = (lab.builder.signer.folder / "release-key.asc").read_text()
        signers.trust(signers.read(key, label="Lab release key", now=self.now()), actor=MACHINE, now=self.now())
        self.strategy = Strategy.objects.create(name="quick", title="Quick", spec=SPEC)
        self.ola = self.person("ola", "submit_rollout", "promote_rollout", "hold_rollout", "rollback_rollout")
        self.cal = self.person("cal", "approve_rollout", "rollback_rollout", "hold_rollout", "promote_rollout")
        self.opener = gateways.open

    def pins(self) -> list[tuple[str, str]]:
        """The machine's host keys as an operator reads them on its console."""
        return [(line.split()[0], line.split()[1]) for line in self.machine.host_keys]

    def arm(self, *, seconds: int) -> None:
        """Let the gateway go back by itself after so many seconds without us."""
        self.strategy.spec = {**SPEC, "trial_seconds": seconds}
        self.strategy.save()

    def enrol(self) -> Gateway:
        described = self.machine.described()
        row = fleet_services.enrol(
            name=described["name"],
            pool=self.pool,
            address=described["address"],
            port=described["port"],
            ssh_user=described["user"],
            host_keys=self.pins(),
            public_address=described["public"],
            actor=MACHINE,
            now=self.now(),
        )
        probe = described["probe"]
        sealed.seal(f"probe:{row.name}", f"{probe['user']}\n{probe['password']}".encode())
        return row

    def now(self) -> datetime:
        return timezone.now()

    def look(self) -> bool:
        """Ask the gateway for its facts and keep them, as the worker does each 10 s."""
        return fleet_services.look(self.row, now=self.now())

    def home(self) -> None:
        """Bring the gateway back to where a test begins: 1.1.6 in slot 1, nothing else there or kept."""
        port = gateways.open(self.row)
        fence = port.facts().fence + 1
        port.start(OLD, 1, fence=fence)
        port.shift({1: 100}, seconds=60, fence=fence)
        port.commit(1, fence=fence)
        for slot in (2, 3):
            port.retire(slot, cut_at_most=100, fence=fence)
        port.close()
        self.machine.run(["sh", "-c", FORGET, "sh", OLD])
        assert self.look(), self.row.state_reason

    def take(self, name: str = NEW, *, folder: Path | None = None) -> Release:
        """Take a release of the lab in; the next draft is for it."""
        folder = folder or self.lab.releases[name]
        self.release = releases.take_in(folder, by=None, actor=MACHINE, now=self.now())
        return self.release

    def go(self, rollout: Rollout, *states: str, seconds: float = 120) -> Rollout:
        """Work until the rollout is in one of the states."""
        self.work_until(lambda: self.fresh(rollout).state in states, what=f"The way to {states}", seconds=seconds)
        return rollout

    def go_to_step(self, rollout: Rollout, name: str) -> StepRun:
        """Work until this step of the one gateway is next, and leave it undone."""
        for _ in range(600):
            step = StepRun.objects.filter(upgrade__wave__rollout=rollout, state=S.DUE).first()
            if step is not None and step.name == name:
                return step
            self.once()
            time.sleep(PAUSE)
        raise AssertionError(f"{name} never came: {self.fresh(rollout).state}, {rollout.reason}")

    def work_until(self, done: Any, *, what: str, seconds: float = 120) -> None:
        def look() -> bool:
            self.once()
            return bool(done())

        wait_until(look, seconds=seconds, what=what, every=PAUSE)

    def once(self) -> None:
        """What a tick of the clock does, and one run of each step that is due."""
        for step_id in engine.tick(now=self.now()):
            run.run_step(step_id, opener=self.opener, clock=self.now)

    def fresh(self, rollout: Rollout) -> Rollout:
        rollout.refresh_from_db()
        return rollout

    def upgrade(self, rollout: Rollout) -> Upgrade:
        return Upgrade.objects.get(wave__rollout=rollout)

    def page(self, rollout: Rollout) -> str:
        """The sentence on the rollout's page."""
        seen = selectors.picture(self.fresh(rollout), self.ola, now=timezone.now())
        return why(seen, self.now()).text


# What staged releases and learnt clients earlier tests left behind.
FORGET = """
cd /var/lib/ocgate/releases && for kept in *; do [ "$kept" = "$1" ] || rm -rf "$kept"; done
rm -rf /var/lib/ocgate/incoming/* /run/ocgate/learnt.json
nft flush map inet handover sticky4; nft flush map inet handover sticky6
"""


class Users:
    """What the lab's users have, by occtl and by their own counters."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.ids: dict[str, str] = {}
        self.lost: dict[str, int] = {}

    def sit_down(self) -> None:
        """Sign those in who are out; from here on nobody may lose his session or a packet."""
        gateway = self.lab.gateways[0]
        here = {session["user"]: session["slot"] for session in gateway.sessions()}
        out = [c for c in self.lab.clients.all if here.get(c.user) != 1 or not c.vpn.connected]
        for client in out:
            client.vpn.stop()
            # A machine that was switched off and on may have new hardware addresses.
            batch(["neigh flush dev wan0"], client.vpn.corner.space)
        guests.end_sessions(gateway, ["guest1", *(client.user for client in out)])
        self.lab.clients.connect(out)
        everyone = {client.user for client in self.lab.clients.all}
        wait_until(lambda: set(self.sessions()) == everyone, seconds=30, what="All users on the gateway")
        if out or not self.ids:
            self.ids, self.lost = self.sessions(), self.losses()

    def sessions(self) -> dict[str, str]:
        return {session["user"]: session["id"] for session in self.lab.gateways[0].sessions()}

    def losses(self) -> dict[str, int]:
        return {row["user"]: row["lost"] - row["lost_in_outages"] for row in self.lab.clients.report()}

    def assert_unhurt(self) -> None:
        """Everybody has his session, and no packet was lost."""
        assert self.sessions() == self.ids
        assert self.losses() == self.lost
