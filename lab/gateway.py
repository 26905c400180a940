"""One gateway of the lab: its machine, its addresses, ocgate on it, and the sessions that occtl sees."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import distribution, host_files
from lab.authority import Authority
from lab.commands import LabError
from lab.machine import Machine
from lab.networks import Addresses, Networks
from lab.releases import Release

INSTALLER = "root/ocgate"
# Prints "@ SLOT RELEASE-FOLDER" and that slot's users for each occtl socket; slot 0 is the distribution's ocserv.
SHOW_USERS = """
for socket in /run/ocgate/[0-9]/occtl.sock /run/occtl.socket; do
    [ -S "$socket" ] || continue
    folder=/usr slot=0
    if [ "$socket" != /run/occtl.socket ]; then
        slot=${socket#/run/ocgate/} slot=${slot%%/*}
        exe=$(readlink "/proc/$(cat "/run/ocgate/$slot/ocserv.pid")/exe") || continue
        folder=${exe%/sbin/*}
    fi
    echo "@ $slot $folder"
    "$folder/bin/occtl" -j -n -s "$socket" show users || true
done
"""


@dataclass(frozen=True)
class Probe:
    """The account that the controller signs in with to see whether a gateway lets people in."""

    user: str
    password: str


@dataclass(frozen=True)
class Outfit:
    """What a gateway gets on its disk: the first release, the accounts, and who may command it."""

    first: Release
    passwords: str
    controller_key: str
    trust: Path
    program: Path
    adopt: bool = False
    in_place: bool = False  # the machine has no nft
    balancers: tuple[str, ...] = ()  # addresses where its users come in; then its slots are told who they are

    @property
    def proxied(self) -> bool:
        """Whether a balancer in front chooses the slot."""
        return bool(self.balancers) and not self.in_place


class Gateway:
    """A real gateway; `pool` is the group it belongs to in the dashboard."""

    port = 22
    user = "ocgate"

    def __init__(self, at: Addresses, networks: Networks, *, probe: Probe, pool: str) -> None:
        self.at, self.probe, self.pool = at, probe, pool
        self.name = f"gw{at.index}"
        self._networks = networks
        self.machine = Machine(networks.place, self.name, networks.name(self.name))
        self._outfit: Outfit | None = None

    @property
    def address(self) -> str:
        """Where its SSH listens, on the management network."""
        return self.at.management

    @property
    def public(self) -> str:
        """Where its users come in."""
        return self.at.public4

    @property
    def host_keys(self) -> list[str]:
        """What to pin: "type base64" of each public host key."""
        keys = sorted((self.machine.upper / "etc/ssh").glob("ssh_host_*_key.pub"))
        return [" ".join(path.read_text().split()[:2]) for path in keys]

    def prepare(self, outfit: Outfit, authority: Authority) -> None:
        """Make its network and its disk; switched off."""
        self._outfit = outfit
        self._networks.connect_gateway(self.at.index)
        self.machine.prepare()
        if outfit.in_place:
            self.machine.hide(["usr/sbin/nft"])
        host_files.lay_out(self.machine, self.at)
        conf = host_files.ocserv_conf(self.at, 0 if outfit.adopt else 1)
        self.machine.write("etc/ocserv/ocserv.conf", conf + ("listen-proxy-proto = true\n" if outfit.proxied else ""))
        self.machine.write("etc/ocserv/passwd", outfit.passwords, mode=0o600)
        addresses = [self.at.public4, self.at.public6, *outfit.balancers]
        authority.issue(self.machine.upper / "etc/ocserv", name=f"{self.name}.lab.invalid", addresses=addresses)
        self._lay_installer(outfit)
        if outfit.adopt:
            distribution.install(self.machine, outfit.first.package)

    def _lay_installer(self, outfit: Outfit) -> None:
        self.machine.write(f"{INSTALLER}/ocgate", outfit.program.read_bytes(), mode=0o755)
        self.machine.write(f"{INSTALLER}/config.json", json.dumps(self.config(), indent=2) + "\n")
        target = self.machine.upper / INSTALLER
        shutil.copytree(outfit.trust, target / "trust")
        shutil.copytree(outfit.first.folder, target / "first" / outfit.first.release)

    def config(self) -> dict[str, Any]:
        """Its /etc/ocgate/config.json."""
        slots = {
            str(slot): {
                "ipv4": f"198.18.0.{slot}",
                "ipv6": f"fd5a:6f63::{slot}",
                "pool4": self.at.pool4(slot),
                "pool6": self.at.pool6(slot),
            }
            for slot in (1, 2, 3)
        }
        public = {"ipv4": [self.at.public4], "ipv6": [self.at.public6]}
        ports = {"port": 443, "inner_port": 4443, "ocserv_conf": "/etc/ocserv/ocserv.conf"}
        if self.proxied:
            ports["proxied"] = True
        return {"public": public, **ports, "slots": slots, "sticky_seconds": 7200, "out": ["wan0"]}

    @property
    def proxied(self) -> bool:
        """Whether balancers in front choose the slot."""
        return self._outfit is not None and self._outfit.proxied

    def slots(self) -> dict[int, str]:
        """Slot → the address where its ocserv listens."""
        return {int(slot): str(one["ipv4"]) for slot, one in self.config()["slots"].items()}

    def install(self, *, adopt: bool = False) -> None:
        """Make the running machine a gateway, as its operator would: by ocgate's own installer."""
        assert self._outfit
        here = f"/{INSTALLER}"
        first = ["--adopt"] if adopt else ["--first", f"{here}/first/{self._outfit.first.release}"]
        words = ["--user", self.user, "--key", self._outfit.controller_key]
        words += ["--in-place"] if self._outfit.in_place else []
        files = ["--config", f"{here}/config.json", "--trust", f"{here}/trust"]
        self.run(["python3", f"{here}/ocgate", "install", *words, *files, *first], seconds=120)

    def run(self, argv: list[str], *, stdin: str = "", seconds: float = 60) -> str:
        """Run a command as root on it; its output. LabError when that fails."""
        return self.machine.run(argv, stdin=stdin, seconds=seconds).decode(errors="replace")

    def plugged(self, *, everything: bool, plugged: bool) -> None:
        """Pull or plug its cables at the far end: the controller's, and with `everything` the wan's too."""
        self._networks.plug_gateway(self.at.index, wan=everything, up=plugged)

    def power_off(self) -> None:
        """Cut its power, and with it what its kernel knew of the network."""
        self.machine.power_off()
        self._networks.drop_gateway(self.at.index)

    def power_on(self) -> None:
        """Switch it on again with the same disk; returns when it has booted."""
        self._networks.connect_gateway(self.at.index)
        self.machine.power_on()
        self.machine.wait_booted()

    def restart_ssh(self) -> None:
        """Make its SSH read its host key anew; connections that exist stay."""
        self.run(["sh", "-c", 'kill -HUP "$(cat /run/sshd.pid)"'])

    def reboot(self) -> None:
        """Power off and on: everything in memory is lost, what was on disk stays."""
        self.power_off()
        self.power_on()

    def described(self) -> dict[str, Any]:
        """What the dashboard needs to enrol it, for the inventory."""
        reached = {"address": self.address, "port": self.port, "host_keys": self.host_keys, "user": self.user}
        probe = {"user": self.probe.user, "password": self.probe.password}
        conf = str(self.machine.upper / "etc/ocserv/ocserv.conf")
        return {"name": self.name, "pool": self.pool, **reached, "public": self.public, "probe": probe, "conf": conf}

    def sessions(self) -> list[dict[str, Any]]:
        """Connected sessions by occtl: slot, folder of the release, id (`Full session`), user, remote, vpn_ip."""
        found: list[dict[str, Any]] = []
        for block in ("\n" + self.run(["sh", "-c", SHOW_USERS])).split("\n@ ")[1:]:
            head, _, listing = block.partition("\n")
            slot, folder = head.split(" ", 1)
            for user in parse_occtl(listing):
                if user.get("State") == "connected":
                    found.append({"slot": int(slot), "folder": folder, **_session(user)})
        return found


def _session(user: dict[str, Any]) -> dict[str, str]:
    keys = {"id": "Full session", "user": "Username", "remote": "Remote IP", "vpn_ip": "IPv4"}
    return {ours: str(user.get(theirs, "")) for ours, theirs in keys.items()}


def parse_occtl(listing: str) -> list[dict[str, Any]]:
    """occtl's JSON; the comma that some versions leave before a closing bracket is taken out."""
    try:
        users: list[dict[str, Any]] = json.loads(re.sub(r",(\s*[\]}])", r"\1", listing) or "[]")
    except ValueError as failure:
        raise LabError(f"occtl said something that is not JSON: {listing[:200]!r}") from failure
    return users
