"""A balancer of the lab: Debian's HAProxy in a namespace on the wan, with sshd and hagate for the controller."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.hagate_build import build
from lab.commands import run, wait_until
from lab.gateway import Gateway
from lab.networks import WAN4, Networks, batch
from lab.spaces import Corner
from lab.state import started_at

FIRST_HOST = 220  # of the wan's addresses
BACKEND = "vpn"


@dataclass(frozen=True)
class Target:
    """One server of the backend: where it really listens. `way`: the gateway's own address when that is a route."""

    name: str
    address: str
    port: int = 443
    weight: int = 100
    way: str = ""
    proxied: bool = False  # it is told the client's address (PROXY protocol, version 2)


class Balancer:
    """`number` from 1: its address on the wan is 203.0.113.220 and so on."""

    port = 22
    user = "root"

    def __init__(self, networks: Networks, number: int, *, key: str) -> None:
        self.name = f"hap{number}"
        self._networks, self._number, self._key = networks, number, key
        self.corner = Corner(networks, self.name, FIRST_HOST + number - 1)
        self.folder = networks.place.disk / self.name
        self._haproxy: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where its SSH listens, on the management network."""
        return f"198.19.{self._networks.place.number}.{FIRST_HOST + self._number - 1}"

    @property
    def public(self) -> str:
        """Where users come in."""
        return self.corner.address

    @property
    def host_keys(self) -> list[tuple[str, str]]:
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        return [(kind, key)]

    def up(self, targets: Sequence[Target], *, peers: Mapping[str, str] | None = None) -> None:
        """Make its namespace, and start sshd and HAProxy in it. `peers`: name → address of all balancers that share
        one stick table, this one too."""
        self.folder.mkdir(parents=True)
        (self.folder / "hagate").mkdir()
        self.corner.up()
        self._plug_management()
        for target in targets:
            if target.way:
                batch([f"route replace {target.address} via {target.way}"], self.corner.space)
        self.configure(targets, peers=peers)
        self._start_ssh()
        self.start()

    def configure(self, targets: Sequence[Target], *, peers: Mapping[str, str] | None = None) -> None:
        """Write its configuration; HAProxy reads it when it starts."""
        everyone = peers or {self.name: self.public}
        text = CONFIG.format(
            folder=self.folder,
            name=self.name,
            public=self.public,
            backend=BACKEND,
            peers="\n".join(f"    peer {name} {address}:10000" for name, address in everyone.items()),
            servers="\n".join(map(_server, targets)),
        )
        (self.folder / "haproxy.cfg").write_text(text)

    def start(self) -> None:
        """Start HAProxy; returns when its runtime API answers."""
        program = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin") or "haproxy"
        self.socket.unlink(missing_ok=True)
        self._haproxy = self._run([program, "-db", "-f", str(self.folder / "haproxy.cfg")], "haproxy")
        wait_until(self.socket.exists, seconds=10, what=f"The start of {self.name}")

    def kill(self) -> None:
        """End HAProxy at once, as a crash does; its namespace and its SSH stay."""
        assert self._haproxy
        self._haproxy.send_signal(signal.SIGKILL)
        self._haproxy.wait(10)

    def freeze(self, *, on: bool) -> None:
        """HAProxy and its host's sshd answer nothing, or again."""
        batch([f"link set {self._networks.name(self.name)} {'down' if on else 'up'}"])

    @property
    def socket(self) -> Path:
        return self.folder / "admin.sock"

    def tell(self, command: str) -> str:
        """One command of the runtime API, as its operator types it at the console."""
        return run(["socat", "-", f"UNIX-CONNECT:{self.socket}"], stdin=command + "\n").decode()

    def reap(self) -> None:
        """Collect the processes that the lab's end killed."""
        for process in self._started:
            if started_at(process.pid):
                process.kill()
            process.wait(10)

    def _run(self, argv: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{log}.log").open("ab") as out:
            process = subprocess.Popen(
                [*self.corner.enter(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def _plug_management(self) -> None:
        port = self._networks.name(self.name)
        self._networks.place.note("link", port)
        batch(
            [
                f"link add {port} type veth peer name mgmt0 netns {self.corner.space}",
                f"link set {port} master {self._networks.bridge} up",
            ]
        )
        batch([f"address add {self.address}/24 dev mgmt0", "link set mgmt0 up"], self.corner.space)

    def _start_ssh(self) -> None:
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host")])
        program = build(self.folder / "hagate.pyz")
        words = f"--backends {BACKEND} --socket {self.socket} --state {self.folder}/hagate"
        door = f'restrict,command="/usr/bin/python3 -I {program} serve {words}"'
        (self.folder / "authorized_keys").write_text(f"{door} {self._key}\n")
        options = [
            f"ListenAddress={self.address}:22",
            f"HostKey={self.folder}/host",
            f"AuthorizedKeysFile={self.folder}/authorized_keys",
            "StrictModes=no",
            "UsePAM=no",
            "PasswordAuthentication=no",
            "PermitRootLogin=forced-commands-only",
            f"PidFile={self.folder}/sshd.pid",
            # Bash reads ~/.bashrc for whom sshd starts: what a developer keeps there is none of a balancer's.
            f"SetEnv=HOME={self.folder}",
        ]
        Path("/run/sshd").mkdir(exist_ok=True)
        sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin") or "sshd"
        self._run([sshd, "-D", "-e", "-f", "/dev/null", *(w for one in options for w in ("-o", one))], "sshd")
        wait_until((self.folder / "sshd.pid").exists, seconds=10, what=f"The start of {self.name}'s SSH")


def _server(target: Target) -> str:
    proxied = " send-proxy-v2 check-send-proxy" if target.proxied else ""
    return (
        f"    server {target.name} {target.address}:{target.port} weight {target.weight}"
        f" check inter 500ms fall 2 rise 1{proxied}"
    )


def in_front_of(gateway: Gateway, balancers: Sequence[Balancer]) -> None:
    """Bring them up with that gateway behind them: as one server, or where it steers with a server a slot."""
    if gateway.proxied:
        targets = [
            Target(f"{gateway.name}-{slot}", inner, 4443, weight, gateway.public, proxied=True)
            for (slot, inner), weight in zip(gateway.slots().items(), (100, 0, 0), strict=True)
        ]
    else:
        targets = [Target(gateway.name, gateway.public)]
    for balancer in balancers:
        balancer.up(targets, peers=names(balancers))


def names(balancers: Sequence[Balancer]) -> dict[str, str]:
    """Name → address on the wan, as `peers` wants them."""
    return {balancer.name: f"{WAN4}.{balancer.corner.host}" for balancer in balancers}


CONFIG = """# docs/traffic.md has the reasons.
global
    localpeer {name}
    stats socket {folder}/admin.sock mode 600 level admin
    server-state-file {folder}/hagate/servers.state
defaults
    mode tcp
    timeout connect 3s
    timeout client 1h
    timeout server 1h
    load-server-state-from-file global
peers balancers
{peers}
frontend users
    bind {public}:443
    default_backend {backend}
backend {backend}
    balance leastconn
    stick-table type ip size 1m expire 2h peers balancers
    stick on src
    tcp-request content track-sc0 src table {backend}
{servers}
"""
