"""A client's own corner of the wan: a namespace with one address, that can move to another."""

from __future__ import annotations

from lab.commands import LabError, text
from lab.networks import WAN4, WAN6, Networks, batch

FIRST_CLIENT, FIRST_ROAMED, FIRST_CHURN = 40, 100, 160


class Corner:
    """A namespace with `wan0`; `host` is the last byte of its IPv4 address. IPv6: a /64 to itself."""

    def __init__(self, networks: Networks, name: str, host: int) -> None:
        self._networks = networks
        self.name, self.host = name, host
        self.space = networks.name(name)

    @property
    def address(self) -> str:
        """The IPv4 address it comes from now."""
        return f"{WAN4}.{self.host}"

    def up(self) -> None:
        """Make the namespace and plug it into the wan."""
        self._networks.add_space(self.space)
        own6 = f"2001:db8:2:{self.host}::1/64"
        self._networks.plug(self.space, self.name, [f"{self.address}/24", own6])
        batch([f"route add {WAN6}:/64 dev wan0"], self.space)

    def move(self, host: int) -> None:
        """Come from another IPv4 address from now on; the old one is gone at once, as from Wi-Fi to mobile."""
        old, self.host = self.address, host
        # Deleted first: a second address of one network would go with the first.
        batch([f"address delete {old}/24 dev wan0", f"address add {self.address}/24 dev wan0"], self.space)

    def cut(self) -> int:
        """Reset this corner's TCP connections to port 443; how many there were. LabError if none."""
        killed = text(["ip", "netns", "exec", self.space, "ss", "-HKnt", "dport", "=", ":443"])
        if not killed:
            raise LabError(f"{self.name} has no connection that could be cut.")
        return len(killed.splitlines())

    def enter(self) -> list[str]:
        """The words that begin a command which is to run in this namespace."""
        return ["nsenter", f"--net=/run/netns/{self.space}"]
