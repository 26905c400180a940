"""What may be asked, and how it is checked. Pure. Standard library only."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

PROTOCOLS = (1, 2, 3)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ADMIN = ("ready", "drain", "maint")
SECONDS_MOST = 86400


class Refused(Exception):
    """The answer is no; `code` for the controller."""

    kind = "refused"

    def __init__(self, code: str, say: str) -> None:
        super().__init__(say)
        self.code, self.say = code, say


class Later(Refused):
    kind = "retry"


def parsed(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    fields = {"v", "id", "verb", "args", "fence"}
    if not isinstance(request, dict) or not {"v", "id", "verb", "args"} <= set(request) <= fields:
        raise Refused("bad_request", "This is no request.")
    if request["v"] not in PROTOCOLS or not isinstance(request["args"], dict) or not isinstance(request["verb"], str):
        raise Refused("bad_request", "This is no request of a protocol that is spoken here.")
    return {"fence": None, **request}


def checked_changes(given: Any) -> list[list[Any]]:
    """[server, "ready" | "drain" | "maint" | "" (leave), weight 0…256 or -1 (leave)] each."""
    if not isinstance(given, list) or not 1 <= len(given) <= 16:
        raise Refused("bad_request", "changes is no list of 1 to 16 changes.")
    for change in given:
        if not isinstance(change, list) or len(change) != 3:
            raise Refused("bad_request", "A change is [server, state, weight].")
        server, admin, weight = change
        if not isinstance(server, str) or not NAME.fullmatch(server) or admin not in ("", *ADMIN):
            raise Refused("bad_request", "A change names no server or no state.")
        if type(weight) is not int or not -1 <= weight <= 256:
            raise Refused("bad_request", "A weight is 0 to 256.")
    return given


def named(args: dict[str, Any], what: str) -> str:
    name = args.get(what)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused("bad_request", f"{what} is no name.")
    return name


def admin_of(bits: str) -> str:
    """srv_admin_state in words (haproxy, include/haproxy/server-t.h: 0x67 are maintenance, 0x18 draining)."""
    number = int(bits)
    return "maint" if number & 0x67 else "drain" if number & 0x18 else "ready"


def plain_address(text: str) -> str:
    """An address as text, IPv4 in IPv6's clothes as IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return str(getattr(address, "ipv4_mapped", None) or address)


def seconds_of(args: dict[str, Any]) -> int:
    """How long a trial lasts; 0: for good."""
    seconds = args.get("seconds", 0)
    if type(seconds) is not int or not 0 <= seconds <= SECONDS_MOST:
        raise Refused("bad_request", "seconds is no number of seconds.")
    return seconds
