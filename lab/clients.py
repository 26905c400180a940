"""The users: openconnect processes, each from an address of its own, each with a probe through its tunnel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lab import probe
from lab.commands import LabError, wait_until
from lab.networks import Addresses, Networks
from lab.spaces import FIRST_CLIENT, FIRST_ROAMED, Corner
from lab.state import Place
from lab.vpn import Account, Vpn

ROOT = Path(__file__).parent.parent


class Client:
    """One user at one gateway."""

    def __init__(self, vpn: Vpn, *, gateway: str, inside: str) -> None:
        self.vpn, self.gateway, self.inside = vpn, gateway, inside
        self.cuts = 0
        self.roams = 0

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
        """Reset the user's TCP connection, as an outage does; openconnect reconnects with its cookie by itself."""
        self.vpn.corner.cut()
        self.cuts += 1

    def reconnect(self) -> None:
        """Make openconnect rebuild its tunnel now, over a new connection."""
        self.vpn.signal(signal.SIGUSR2)
        self.cuts += 1

    def roam(self) -> None:
        """Go on from another address; the dead connection is reset, as Android does it."""
        corner = self.vpn.corner
        away = corner.host < FIRST_ROAMED
        corner.move(corner.host + (FIRST_ROAMED - FIRST_CLIENT) * (1 if away else -1))
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
        log = self._folder / f"{module}.log"
        with log.open("ab") as out:
            subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{space}", sys.executable, "-m", module, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

    def add(self, account: Account, at: Addresses, *, gateway: str, ca: Path) -> Client:
        """Give a user a corner of the wan; not yet signed in."""
        number = len(self.all) + 1
        corner = Corner(self.networks, f"c{number}", FIRST_CLIENT + number - 1)
        corner.up()
        client = Client(Vpn(corner, account, folder=self._folder, ca=ca), gateway=gateway, inside=at.inside)
        self.all.append(client)
        return client

    def connect(self, clients: Iterable[Client], *, seconds: float = 40) -> None:
        """Sign the clients in and begin to probe; LabError with openconnect's last words for one that can't."""
        waiting = list(clients)
        for client in waiting:
            client.vpn.start()
        for client in waiting:
            wait_until(self._up_or_failed(client), seconds=seconds, what=f"The sign-in of {client.user}")
            probe.ask(self._door, {"add": self._probed(client)})

    def _probed(self, client: Client) -> dict[str, str]:
        return {"name": client.name, "space": client.vpn.corner.space, "target": client.inside}

    def _up_or_failed(self, client: Client) -> Callable[[], bool]:
        def look() -> bool:
            if not client.vpn.running:
                raise LabError(f"{client.user} could not sign in at {client.gateway}: {client.vpn.last_words}")
            return client.vpn.connected

        return look

    def disconnect(self, client: Client) -> None:
        """Sign one client out; its count stays as it is."""
        probe.ask(self._door, {"stop": client.name})
        client.vpn.stop()

    def report(self) -> list[dict[str, Any]]:
        """Per client: user gateway address connected sent lost longest_gap_ms losses reconnects cuts roams."""
        counts = probe.ask(self._door, {"report": True})
        return [{**self._of(client), **counts.get(client.name, _NOTHING)} for client in self.all]

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
            "cuts": client.cuts,
            "roams": client.roams,
        }


_NOTHING: dict[str, Any] = {"sent": 0, "lost": 0, "longest_gap_ms": 0, "losses": []}
