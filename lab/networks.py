"""Addresses and links of a lab.

root ── PREFIXmgmt (198.19.K.0/24) ── mgmt0 of each gateway
PREFIXwan: br0 (203.0.113.0/24, 2001:db8:1::/64) ── wan0 of each gateway and of each client
PREFIXlan: one link per gateway (10.200.I.0/30) ── lan0 of the gateway; what its VPN users reach
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.commands import run
from lab.state import Place

WAN4, WAN6 = "203.0.113", "2001:db8:1:"
MOST_GATEWAYS, MOST_CLIENTS = 24, 60


@dataclass(frozen=True)
class Addresses:
    """The addresses of gateway `index` (from 1) in the lab at place `place`."""

    index: int
    place: int = 0

    @property
    def management(self) -> str:
        """Where the controller's SSH goes."""
        return f"198.19.{self.place}.{10 + self.index}"

    @property
    def public4(self) -> str:
        """Where the VPN's users come in."""
        return f"{WAN4}.{10 + self.index}"

    @property
    def public6(self) -> str:
        """The same, IPv6."""
        return f"{WAN6}:{10 + self.index}"

    @property
    def inside(self) -> str:
        """An address behind the gateway, reached only through a tunnel."""
        return f"10.200.{self.index}.2"

    def pool4(self, slot: int) -> str:
        """The pool of slot 1…3, and 0 for what an operator ran before ocgate came."""
        return f"10.{100 + self.index}.{slot * 4}.0/22"

    def pool6(self, slot: int) -> str:
        """The IPv6 pool of a slot.

        Not narrower than /95: ocserv 1.1.6 to 1.5.0 draws its random tries into the wrong bytes, and of a /112 finds
        two addresses only for all second sessions of a user together; the third is turned away at sign-in.
        """
        return f"fd10:{self.index}:{slot}::/64"


def batch(lines: list[str], space: str = "") -> None:
    """Run `ip` commands in one process, in a named namespace if given."""
    where = ["-netns", space] if space else []
    run(["ip", *where, "-batch", "-"], stdin="\n".join(lines) + "\n")


class Networks:
    """Makes the lab's namespaces and links; each is noted at its place before it is made."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.wan, self.lan = self.name("wan"), self.name("lan")
        self.bridge = self.name("mgmt")
        self.controller = f"198.19.{place.number}.1"

    def name(self, what: str) -> str:
        """The full name of a namespace or link of this lab."""
        return self.place.prefix + what

    def up(self) -> None:
        """Make the management bridge, the wan and the lan."""
        self.place.note("link", self.bridge)
        batch(
            [
                f"link add {self.bridge} type bridge",
                f"address add {self.controller}/24 dev {self.bridge}",
                f"link set {self.bridge} up",
            ]
        )
        self.add_space(self.wan)
        self.add_space(self.lan)
        batch(
            [
                "link add br0 type bridge",
                f"address add {WAN4}.1/24 dev br0",
                f"address add {WAN6}:1/64 dev br0 nodad",
                "link set br0 up",
            ],
            self.wan,
        )

    def add_space(self, name: str) -> None:
        """Make a network namespace with its loopback up."""
        self.place.note("netns", name)
        run(["ip", "netns", "add", name])
        batch(["link set lo up"], name)

    def plug(self, space: str, port: str, addresses: list[str]) -> None:
        """Give a namespace `wan0` with addresses (CIDR), plugged into the wan's bridge at `port`."""
        batch([f"link add wan0 netns {space} type veth peer name {port} netns {self.wan}"])
        batch([f"link set {port} master br0 up"], self.wan)
        nodad = [f"address add {one} dev wan0" + (" nodad" if ":" in one else "") for one in addresses]
        batch([*nodad, "link set wan0 up"], space)

    def connect_gateway(self, index: int) -> str:
        """Make a gateway's namespace with mgmt0, wan0 and lan0; its name."""
        at, space, port = Addresses(index, self.place.number), self.name(f"gw{index}"), self.name(f"m{index}")
        self.place.note("link", port)
        self.add_space(space)
        batch(
            [
                f"link add {port} type veth peer name mgmt0 netns {space}",
                f"link set {port} master {self.bridge} up",
                f"link add lan0 netns {space} type veth peer name lan{index} netns {self.lan}",
            ]
        )
        self.plug(space, f"gw{index}", [f"{at.public4}/24", f"{at.public6}/64"])
        # A network card keeps its address over a reboot; without that the neighbours' caches would point nowhere.
        cards = [
            f"link set {port} address 02:00:00:{self.place.number:02x}:{index:02x}:{number:02x}"
            for number, port in enumerate(("mgmt0", "wan0", "lan0"))
        ]
        batch(
            [
                *cards,
                f"address add {at.management}/24 dev mgmt0",
                "link set mgmt0 up",
                f"address add 10.200.{index}.1/30 dev lan0",
                "link set lan0 up",
                f"route add default via {WAN4}.1",
                "route add 2001:db8:2::/48 dev wan0",
            ],
            space,
        )
        self._route_back(index)
        return space

    def _route_back(self, index: int) -> None:
        """Give the lan its end of the link and the way back to that gateway's pools."""
        pools = f"10.{100 + index}.0.0/16"
        batch(
            [
                f"address add 10.200.{index}.2/30 dev lan{index}",
                f"link set lan{index} up",
                f"route add {pools} via 10.200.{index}.1",
            ],
            self.lan,
        )

    def plug_gateway(self, index: int, *, wan: bool, up: bool) -> None:
        """Set the far ends of a gateway's links, mgmt0 and if asked wan0: it keeps its addresses and routes."""
        state = "up" if up else "down"
        batch([f"link set {self.name(f'm{index}')} {state}"])
        if wan:
            batch([f"link set gw{index} {state}"], self.wan)

    def drop_gateway(self, index: int) -> None:
        """Remove a gateway's links and namespace: what a power cut leaves of its network."""
        # The links first: the kernel takes a namespace's links down later, when their names may be wanted again.
        batch([f"link delete {self.name(f'm{index}')}"])
        batch([f"link delete gw{index}"], self.wan)
        batch([f"link delete lan{index}"], self.lan)
        run(["ip", "netns", "delete", self.name(f"gw{index}")])
