"""What may be asked, and how it is checked. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from typing import Any

PROTOCOLS = (1, 2, 3)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}|[0-9A-Fa-f:.]{2,45}")
USER = re.compile(r"[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]{0,127}")
FETCH = re.compile(r"http://([A-Za-z0-9][A-Za-z0-9._-]{0,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?(/[!-~]{0,200})?")
SECRET = re.compile(r"[A-Za-z0-9._~!$&()*+,;=:@/%-]{1,128}")
PROBES_MOST = 64
SECONDS = (5, 60)


class Refused(Exception):
    """The answer is no; `code` for the controller."""

    def __init__(self, code: str, say: str) -> None:
        super().__init__(say)
        self.code, self.say = code, say


@dataclass(frozen=True)
class Wish:
    """One gateway to probe. Without `user` the probe ends at the sign-in form. `ping`: an IPv4 address, "" for the
    gateway's own end of the tunnel. `fetch`: an http address behind the tunnel, "" for echo packets alone. `secret`:
    that of ocserv's camouflage, which stands in the URL."""

    gateway: str
    host: str
    port: int
    seconds: float
    user: str = ""
    password: str = ""
    ping: str = ""
    fetch: str = ""
    secret: str = ""

    @property
    def where(self) -> str:
        """As a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def path(self) -> str:
        return f"/?{self.secret}" if self.secret else "/"


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
    return request


def wishes(args: dict[str, Any]) -> list[Wish]:
    """What `probe` is asked for; Refused names the first part that does not fit."""
    seconds, probes = args.get("seconds"), args.get("probes")
    if type(seconds) is not int or not SECONDS[0] <= seconds <= SECONDS[1]:
        raise Refused("bad_request", f"seconds is no whole number from {SECONDS[0]} to {SECONDS[1]}.")
    if not isinstance(probes, list) or not 1 <= len(probes) <= PROBES_MOST:
        raise Refused("bad_request", f"probes is no list of 1 to {PROBES_MOST}.")
    return [_wish(one, float(seconds)) for one in probes]


def _wish(given: Any, seconds: float) -> Wish:
    if not isinstance(given, dict) or type(given.get("port")) is not int or not 1 <= given["port"] <= 65535:
        raise Refused("bad_request", "A probe has no port.")
    texts = {name: given.get(name, "") for name in ("gateway", "host", "user", "password", "ping", "fetch", "secret")}
    if not all(isinstance(text, str) for text in texts.values()) or set(given) - set(texts) - {"port"}:
        raise Refused("bad_request", "A probe has a part that is not known.")
    for name, form in (("gateway", NAME), ("host", HOST)):
        if not form.fullmatch(texts[name]):
            raise Refused("bad_request", f"{name} is no name or address.")
    for name, form in (("user", USER), ("fetch", FETCH), ("secret", SECRET)):
        if texts[name] and not form.fullmatch(texts[name]):
            raise Refused("bad_request", f"{name} can't be used.")
    if texts["ping"] and not _is_ipv4(texts["ping"]):
        raise Refused("bad_request", "ping is no IPv4 address.")
    if len(texts["password"]) > 256 or "\n" in texts["password"]:
        raise Refused("bad_request", "password can't be used.")
    return Wish(port=given["port"], seconds=seconds, **texts)


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False
