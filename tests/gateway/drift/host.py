"""The gateway's host as its root sees it, and what the controller makes of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from guardian.shortcuts import assign_perm

from approvals import changes
from fleet import errands, gateways, remedies
from fleet.models import Alert, Errand, Gateway
from tests.db.upgrader.world import OLD
from tests.gateway.upgrader.world import RealFleet
from upgrader import drift

FILE = "/etc/ocserv/ocserv.conf"
LIBRARIES = f"/var/lib/ocgate/releases/{OLD}/lib"


class Host:
    """One machine, one row."""

    def __init__(self, fleet: RealFleet) -> None:
        self.fleet = fleet
        self.machine = fleet.machine
        self.pool = fleet.pool
        for right, person in (("enrol_gateway", fleet.ola), ("approve_gateway", fleet.cal)):
            assign_perm(f"fleet.{right}", person, self.pool)

    def begin(self) -> None:
        """Its facts and its first inventory; nothing of it is drift."""
        assert self.fleet.look(), self.fleet.row.state_reason
        self.fleet.take(OLD)
        self.look()
        assert self.alerts() == {}, [alert.say for alert in self.alerts().values()]

    def look(self) -> None:
        """What the worker does each five minutes."""
        row = Gateway.objects.get(pk=self.fleet.row.pk)
        drift.look(row, opener=gateways.open, now=self.fleet.now())

    def alerts(self) -> dict[str, Alert]:
        return {alert.code: alert for alert in Alert.objects.filter(ended_at=None)}

    def sign_in(self, command: str) -> None:
        """Sign in over SSH as the administrator sven, with a terminal, and run something as root."""
        key = self.fleet.lab.controller_key
        public = subprocess.run(["ssh-keygen", "-y", "-f", key], check=True, capture_output=True, text=True).stdout
        self.machine.run(["sh", "-c", ALLOW], stdin=public)
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        target = ["-p", str(self.machine.port), f"sven@{self.machine.address}", f"sudo -n {command}"]
        argv = ["ssh", "-F", "none", "-tt", "-i", str(key), "-o", "IdentitiesOnly=yes", *known, *target]
        subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)

    def file(self) -> str:
        return self.machine.run(["cat", FILE])

    def put_back(self, code: str) -> Errand:
        """One person puts it back; the worker's part is done here."""
        fleet = self.fleet
        ola = fleet.who(fleet.ola)
        remedies.put_back(self.alerts()[code], by=fleet.ola, actor=ola, why="Nobody wanted this.", now=fleet.now())
        return self.settle()

    def adopt(self, code: str) -> Errand:
        """One person asks, another agrees."""
        fleet = self.fleet
        ola, cal, now = fleet.who(fleet.ola), fleet.who(fleet.cal), fleet.now()
        asked = remedies.adopt(self.alerts()[code], by=fleet.ola, actor=ola, why="It is right.", now=now)
        changes.decide(asked, by=fleet.cal, now=now, actor=cal, yes=True, reason="", digest=asked.digest)
        return self.settle()

    def agree(self, sha256: str) -> None:
        """Ask the gateway itself to agree to the file as it is there, past the dashboard's own judgement."""
        port = gateways.open(self.fleet.row)
        try:
            port.adopt_conf(sha256, fence=int(port.facts().fence) + 1)
        finally:
            port.close()

    def settle(self) -> Errand:
        (due,) = errands.due(self.fleet.now())
        done = errands.run(due, owner="test", opener=gateways.open, clock=self.fleet.now)
        assert done is not None
        return done

    def check(self, *, over: str) -> set[str]:
        """Codes of what the gateway has against a start in slot 2."""
        port = gateways.open(self.fleet.row)
        found = {finding.code for finding in port.check(OLD, 2, over=over).findings}
        port.close()
        return found

    def library(self) -> str:
        """One library that the release brings along; its path."""
        names = self.machine.run(["sh", "-c", f"find {LIBRARIES} -type f -name '*.so*' | sort | head -1"])
        return str(Path(names.strip()))


ALLOW = """
id sven >/dev/null 2>&1 || { useradd -m -s /bin/sh sven; usermod --password '*' sven; }
echo 'sven ALL=(root) NOPASSWD: ALL' >/etc/sudoers.d/sven
mkdir -p /home/sven/.ssh && cat >/home/sven/.ssh/authorized_keys && chown -R sven /home/sven
touch /var/log/wtmp
"""
