"""Values that several tests begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.ocgate.config import Config, parse
from fleet.ocgate.derive import Place
from fleet.ocgate.paths import Paths

RECORDED = Path(__file__).parent / "recorded"
CONFIG: dict[str, Any] = {
    "public": {"ipv4": ["203.0.113.11"], "ipv6": ["2001:db8:1::11"]},
    "port": 443,
    "inner_port": 4443,
    "ocserv_conf": "/etc/ocserv/ocserv.conf",
    "slots": {
        str(n): {
            "ipv4": f"198.18.0.{n}",
            "ipv6": f"fd5a:6f63::{n}",
            "pool4": f"10.10.{n * 4}.0/22",
            "pool6": f"fd10:{n}::/64",
        }
        for n in (1, 2, 3)
    },
    "sticky_seconds": 7200,
    "out": ["wan0"],
}


def config() -> Config:
    """A gateway of three slots, both address families."""
    return parse(CONFIG)


def paths(folder: Path) -> Paths:
    """All of ocgate's folders below one."""
    return Paths(etc=folder / "etc", lib=folder / "lib", run=folder / "run", log=folder / "log/ocgate.log")


def place(number: int = 2) -> Place:
    """Slot `number` of that gateway."""
    own = config()
    return Place(own.slots[number], Path(f"/run/ocgate/{number}"), own.port, own.inner_port)
