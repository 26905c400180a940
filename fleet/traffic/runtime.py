"""What HAProxy's runtime API says, read strictly. Pure.

`show servers state` and `show stat` as of HAProxy 2.4 to 3.0 (management.txt, 9.3); columns go by their names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fleet.errors import RetryLater

# srv_admin_state: set by people or a peer's configuration (haproxy, include/haproxy/server-t.h).
MAINT = 0x01 | 0x02 | 0x04 | 0x20 | 0x40  # forced, inherited, by configuration, by resolution, by another name
DRAIN = 0x08 | 0x10  # forced, inherited
_ENTRY = re.compile(r"0x[0-9a-f]+: key=(\S{1,64}) use=(\d+) .*?\bserver_id=(\d+)\b")


@dataclass(frozen=True)
class Found:
    """One server of a backend. `id` is what stick tables name it by."""

    id: int
    name: str
    admin: Literal["ready", "drain", "maint"]
    up: bool
    weight: int
    sessions: int

    @property
    def takes_new(self) -> bool:
        return self.up and self.admin == "ready" and self.weight > 0


class Unreadable(RetryLater):
    """What came is not what HAProxy says."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The balancer's answer can't be read: {what[:120]}.", code="bad_answer")


def info(text: str) -> dict[str, str]:
    """`show info`, by name."""
    pairs = [line.partition(": ") for line in text.splitlines() if line.strip()]
    found = {name.strip(): value.strip() for name, _, value in pairs}
    if found.get("Name") != "HAProxy" or not found.get("Uptime_sec", "").isdigit():
        raise Unreadable("show info")
    return found


def servers(states: str, stat: str, *, backend: str) -> tuple[Found, ...]:
    """`show servers state BACKEND` and `show stat BACKEND 4 -1` together, in the order of the first."""
    live = {row["svname"]: row for row in _stat(stat) if row.get("pxname") == backend}
    found = []
    for row in _states(states):
        if row.get("be_name") != backend or row["srv_name"] not in live:
            raise Unreadable(f"{row.get('be_name')}/{row['srv_name']} is not in both lists")
        stats = live[row["srv_name"]]
        found.append(
            Found(
                id=_number(row, "srv_id"),
                name=row["srv_name"],
                admin=admin(_number(row, "srv_admin_state")),
                # "no check": nobody looks, so nobody knows better.
                up=not stats.get("status", "").startswith(("DOWN", "MAINT", "NOLB")),
                weight=_number(row, "srv_uweight"),
                sessions=_number(stats, "scur"),
            )
        )
    return tuple(found)


def admin(bits: int) -> Literal["ready", "drain", "maint"]:
    if bits & MAINT:
        return "maint"
    return "drain" if bits & DRAIN else "ready"


def stuck(table: str) -> Mapping[str, int]:
    """`show table BACKEND`: client address → id of the server that it is sent to again."""
    lines = table.splitlines()
    if not lines or not lines[0].startswith("# table: "):
        raise Unreadable("show table")
    return {key: int(server) for line in lines[1:] for key, _, server in _ENTRY.findall(line)}


def _states(text: str) -> list[dict[str, str]]:
    """Version line, header line that begins with #, a line a server."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# be_id be_name srv_id srv_name "):
        raise Unreadable(f"show servers state: {text[:60]}")
    header = lines[1][2:].split()
    rows = [line.split(" ") for line in lines[2:]]
    if any(len(row) < len(header) for row in rows):
        raise Unreadable("show servers state has a short line")
    return [dict(zip(header, row, strict=False)) for row in rows]


def _stat(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# pxname,svname,"):
        raise Unreadable(f"show stat: {text[:60]}")
    return list(csv.DictReader([lines[0][2:], *lines[1:]]))


def _number(row: Mapping[str, str], name: str) -> int:
    value = row.get(name, "")
    if not value.isascii() or not value.isdigit():
        raise Unreadable(f"{name} is {value!r}")
    return int(value)
