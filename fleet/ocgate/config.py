"""config.json of this gateway: its public addresses, ports and slots."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, FrozenSet, Optional, Tuple

from .errors import Refused


@dataclass(frozen=True)
class SlotConfig:
    """One slot's own address on `lo` and its pool of VPN addresses."""

    number: int
    ipv4: str
    pool4: str
    ipv6: Optional[str] = None
    pool6: Optional[str] = None

    @property
    def host(self) -> str:
        """The name that resolves to both addresses: a second listen-host line would override the first."""
        return f"ocgate-slot-{self.number}"


@dataclass(frozen=True)
class Config:
    """What the installer wrote; ports are TCP and UDP port numbers, `sticky_seconds` the kernel's memory.

    `steers`: new clients go to a slot by nft. Without it one slot serves on the operator's own port. `proxied`: users
    come through a balancer that chooses the slot and says who they are (PROXY protocol).
    """

    public4: Tuple[str, ...]
    public6: Tuple[str, ...]
    port: int
    inner_port: int
    ocserv_conf: Path
    slots: Dict[int, SlotConfig]
    sticky_seconds: int
    out: Tuple[str, ...]
    steers: bool = True
    proxied: bool = False

    def slot(self, number: int) -> SlotConfig:
        """Raise `slot_unknown` when this gateway has no such slot."""
        if number not in self.slots:
            known = ", ".join(str(n) for n in sorted(self.slots))
            raise Refused("slot_unknown", f"This gateway has no slot {number}; it has {known}.")
        return self.slots[number]


def own_addresses(config: Config) -> FrozenSet[str]:
    """Where probes of ours come from, no users: the slots' own addresses, without steering the machine's."""
    if not config.steers:
        return frozenset({"127.0.0.1", "::1", *config.public4, *config.public6})
    return frozenset(a for slot in config.slots.values() for a in (slot.ipv4, slot.ipv6) if a)


def load(path: Path) -> Config:
    """Read config.json; anything wrong in it is refused with the sentence that says where."""
    try:
        return parse(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failure:
        raise Refused("config_bad", f"{path} can't be used: {type(failure).__name__}: {failure}.") from failure


def parse(raw: Dict[str, Any]) -> Config:
    """Build a Config; ValueError or KeyError when a value does not fit."""
    slots = {int(number): _slot(int(number), value) for number, value in raw["slots"].items()}
    if not slots or not set(slots) <= {1, 2, 3}:
        raise ValueError("slots must be numbered 1 to 3")
    config = Config(
        public4=tuple(str(ipaddress.IPv4Address(a)) for a in raw["public"].get("ipv4", [])),
        public6=tuple(str(ipaddress.IPv6Address(a)) for a in raw["public"].get("ipv6", [])),
        port=_port(raw.get("port", 443)),
        inner_port=_port(raw.get("inner_port", 4443)),
        ocserv_conf=Path(raw.get("ocserv_conf", "/etc/ocserv/ocserv.conf")),
        slots=slots,
        sticky_seconds=int(raw.get("sticky_seconds", 7200)),
        out=tuple(_interface(name) for name in raw.get("out", [])),
        steers=_truth("steers", raw.get("steers", True)),
        proxied=_truth("proxied", raw.get("proxied", False)),
    )
    if not 10 <= config.sticky_seconds <= 7 * 86400:
        raise ValueError("sticky_seconds must lie between 10 and 604800")
    return config


def _slot(number: int, raw: Dict[str, Any]) -> SlotConfig:
    return SlotConfig(
        number=number,
        ipv4=str(ipaddress.IPv4Address(raw["ipv4"])),
        pool4=str(ipaddress.IPv4Network(raw["pool4"])),
        ipv6=str(ipaddress.IPv6Address(raw["ipv6"])) if raw.get("ipv6") else None,
        pool6=str(ipaddress.IPv6Network(raw["pool6"])) if raw.get("pool6") else None,
    )


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, neither true nor false")
    return value


def _port(value: Any) -> int:
    if not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError(f"{value!r} is no port")
    return value


def _interface(name: Any) -> str:
    # It goes into the text that nft reads, so only what a kernel interface name may usually hold.
    if not isinstance(name, str) or not 0 < len(name) < 16 or not all(c.isalnum() or c in "._-" for c in name):
        raise ValueError(f"{name!r} is no interface name")
    return name
