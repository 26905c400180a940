"""The users: openconnect processes, each from an address of its own, each with a probe through its tunnel."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lab import probe
from lab.commands import LabError, detached, wait_until
from lab.networks import Addresses, Networks
from lab.probe import EVERY
from lab.spaces import FIRST_CLIENT, FIRST_ROAMED, Corner
from lab.state import Place
from lab.vpn import Account, Vpn

ROOT = Path(__file__).parent.parent
# An outage's reach, in seconds: packets on their way when it begins, and until the tunnel is whole again.
BEFORE, AFTER = 0.1, 1.5
LINES_TOLD = 12


class Client:
    """One user at one gateway."""

    def __init__(self, vpn: Vpn, *, gateway: str, inside: str) -> None:
        self.vpn, self.gateway, self.inside = vpn, gateway, inside
        self.roams = 0
        self.outages: list[float] = []

    @property
    def name(self) -> str:
        """The name under which the probe counts."""
        return self.vpn.corner.name

    @property
    def user(self) -> str:
        """The VPN account."""
        return self.vpn.account.user

    def described(self) -> dict[str, Any]:
        """What another process needs to look at this client, for the inventory."""
        corner, account = self.vpn.corner, self.vpn.account
        at = {"gateway": self.gateway, "inside": self.inside, "server": account.server}
        return {"name": self.name, "host": corner.host, "user": self.user, "pid": self.vpn.pid, **at}

    def cut(self) -> None:
        """Reset the user's TCP connection, as an outage does; openconnect reconnects with its cookie by itself.

        ocserv alone loses a packet in some of these reconnects, without any handover: measured 13 in 120, and 3 in 120
        without DTLS. So what is lost there is told apart, as `lost_in_outages`.
        """
        self.outages.append(time.time())
        self.vpn.corner.cut()

    def reconnect(self) -> None:
        """Make openconnect rebuild its tunnel now, over a new connection."""
        self.outages.append(time.time())
        self.vpn.signal(signal.SIGUSR2)

    def roam(self) -> None:
        """Go on from another address; the dead connection is reset, as Android does it."""
        corner = self.vpn.corner
        away = corner.host < FIRST_ROAMED
        corner.move(corner.host + (FIRST_ROAMED - FIRST_CLIENT) * (1 if away else -1))
        self.outages.append(time.time())
        corner.cut()
        self.roams += 1


class Clients:
    """All users of a lab, their prober and the echo behind the gateways."""

    def __init__(self, place: Place, networks: Networks) -> None:
        self.place, self.networks = place, networks
        self._folder = place.folder / "clients"
        self._door = place.folder / "probe.socket"
        self.all: list[Client] = []

    def prepare(self) -> None:
        """Start the prober and the echo."""
        self._folder.mkdir(exist_ok=True)
        self._python(self.networks.lan, "lab.echo")
        self._python(self.networks.wan, "lab.probe", str(self._door))
        wait_until(self._door.exists, seconds=10, what="The start of the prober")

    def _python(self, space: str, module: str, *words: str) -> None:
        argv = ["nsenter", f"--net=/run/netns/{space}", sys.executable, "-m", module, *words]
        detached(argv, log=self._folder / f"{module}.log", env={"PYTHONPATH": str(ROOT)})

    def add(self, account: Account, at: Addresses, *, gateway: str, ca: Path) -> Client:
        """Give a user a corner of the wan; not yet signed in."""
        number = len(self.all) + 1
        corner = Corner(self.networks, f"c{number}", FIRST_CLIENT + number - 1)
        corner.up()
        client = Client(Vpn(corner, account, folder=self._folder, ca=ca), gateway=gateway, inside=at.inside)
        self.all.append(client)
        return client

    def connect(self, clients: Iterable[Client], *, seconds: float = 40) -> None:
        """Sign the clients in and begin to probe; LabError with what openconnect said for one that can't."""
        waiting = list(clients)
        for client in waiting:
            client.vpn.start()
        for client in waiting:
            self._await(client, seconds)
            probe.ask(self._door, {"add": self._probed(client)})

    def _probed(self, client: Client) -> dict[str, str]:
        return {"name": client.name, "space": client.vpn.corner.space, "target": client.inside}

    def _await(self, client: Client, seconds: float) -> None:
        try:
            wait_until(_up_or_failed(client), seconds=seconds, what=f"The sign-in of {client.user}")
        except LabError as failure:
            raise LabError("\n  ".join([str(failure), *client.vpn.said[-LINES_TOLD:]])) from failure

    def disconnect(self, client: Client) -> None:
        """Sign one client out; its count stays as it is."""
        probe.ask(self._door, {"stop": client.name})
        client.vpn.stop()

    def report(self) -> list[dict[str, Any]]:
        """Per client: user gateway address connected sent lost longest_gap_ms losses reconnects roams outages.

        `lost` has them all; `lost_in_outages` of them fell into an outage that the lab made itself.
        """
        counts = probe.ask(self._door, {"report": True})
        return [self._row(client, counts.get(client.name, _NOTHING)) for client in self.all]

    def _row(self, client: Client, counts: dict[str, Any]) -> dict[str, Any]:
        apart = lost_in_outages(counts["losses"], client.outages)
        return {**self._of(client), **counts, "lost_in_outages": apart}

    def read(self, described: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The report for clients that another process made and described (Client.described)."""
        for entry in described:
            corner = Corner(self.networks, entry["name"], entry["host"])
            vpn = Vpn(corner, Account(entry["user"], "", entry["server"]), folder=self._folder, ca=Path())
            self.all.append(Client(vpn, gateway=entry["gateway"], inside=entry["inside"]))
        return self.report()

    def _of(self, client: Client) -> dict[str, Any]:
        events = [what for _, what in client.vpn.events()]
        return {
            "name": client.name,
            "user": client.user,
            "gateway": client.gateway,
            "address": client.vpn.corner.address,
            "connected": client.vpn.connected,
            "reconnects": events.count("reconnect"),
            "outages": len(client.outages),
            "roams": client.roams,
        }


def _up_or_failed(client: Client) -> Callable[[], bool]:
    def look() -> bool:
        if not client.vpn.running:
            raise LabError(f"{client.user} could not sign in at {client.gateway}:")
        return client.vpn.connected

    return look


def lost_in_outages(losses: list[list[float]], outages: list[float]) -> int:
    """How many of the lost packets, as runs of (time, count), were sent in the second around an outage's begin."""
    return sum(
        any(-BEFORE <= at + number * EVERY - begin <= AFTER for begin in outages)
        for at, count in losses
        for number in range(int(count))
    )


_NOTHING: dict[str, Any] = {"sent": 0, "lost": 0, "longest_gap_ms": 0, "losses": []}
