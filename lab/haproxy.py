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
from lab.outpost import Outpost

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


class Balancer(Outpost):
    """`number` from 1: its address on the wan is 203.0.113.220 and so on, where users come in."""

    def __init__(self, networks: Networks, number: int, *, key: str) -> None:
        super().__init__(networks, f"hap{number}", FIRST_HOST + number - 1, key=key)
        self._haproxy: subprocess.Popen[bytes] | None = None

    def up(self, targets: Sequence[Target], *, peers: Mapping[str, str] | None = None) -> None:
        """Make its namespace, and start sshd and HAProxy in it. `peers`: name → address of all balancers that share
        one stick table, this one too."""
        self.plug()
        (self.folder / "hagate").mkdir()
        for target in targets:
            if target.way:
                batch([f"route replace {target.address} via {target.way}"], self.corner.space)
        self.configure(targets, peers=peers)
        program = build(self.folder / "hagate.pyz")
        words = f"--backends {BACKEND} --socket {self.socket} --state {self.folder}/hagate"
        self.start_ssh(f"/usr/bin/python3 -I {program} serve {words}")
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
        self._haproxy = self.run([program, "-db", "-f", str(self.folder / "haproxy.cfg")], "haproxy")
        wait_until(self.socket.exists, seconds=10, what=f"The start of {self.name}")

    def kill(self) -> None:
        """End HAProxy at once, as a crash does; its namespace and its SSH stay."""
        assert self._haproxy
        self._haproxy.send_signal(signal.SIGKILL)
        self._haproxy.wait(10)

    @property
    def socket(self) -> Path:
        return self.folder / "admin.sock"

    def tell(self, command: str) -> str:
        """One command of the runtime API, as its operator types it at the console."""
        return run(["socat", "-", f"UNIX-CONNECT:{self.socket}"], stdin=command + "\n").decode()


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
