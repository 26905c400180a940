"""The operator's ocserv.conf → the configuration of one slot. Pure.

Only what must differ between two instances is changed; what can't be derived safely is refused by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional

from .config import SlotConfig
from .errors import Refused

SUFFIX = {1: "a", 2: "b", 3: "c"}
# The kernel's names have 15 characters; ocserv adds a number of up to 4 digits to the prefix.
DEVICE_MAX = 11
LOG_LEVEL = 2
# In a virtual host these would be the same in two instances: one address for two users.
POOLS = frozenset({"ipv4-network", "ipv4-netmask", "ipv6-network", "ipv6-subnet-prefix"})
OURS = POOLS | {
    "tcp-port",
    "udp-port",
    "listen-host",
    "udp-listen-host",
    "socket-file",
    "occtl-socket-file",
    "pid-file",
    "use-occtl",
    "device",
    "log-level",
}
PROXIED = "listen-proxy-proto"
LISTEN = frozenset({"tcp-port", "udp-port", "listen-host", "udp-listen-host"})
# ocserv knows no other white space than C's, and no other spelling of a name than its own (measured, 1.1.6 and 1.5.0:
# it skips "Max-Same-Clients", and "max-same-clients" with a no-break space behind it).
_SECTION = re.compile(r"\s*\[(.*)\]\s*", re.ASCII)
_OPTION = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(.*?)\s*", re.ASCII)
SPACE = " \t\n\v\f\r"


@dataclass(frozen=True)
class Line:
    """One line of the source; `name` is empty for comments and sections. `section` is "" for the global part."""

    text: str
    section: str
    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class Place:
    """What is the slot's own: address and pool, sockets, and the ports of this gateway.

    `front`: nothing steers, and the slot listens where the operator's ocserv.conf says. `message` stands in for the
    banner, where there is one. `proxied`: a balancer in front says who comes; UDP would go around it, so there is none.
    """

    slot: SlotConfig
    run: Path
    port: int
    inner_port: int
    front: bool = False
    message: str = ""
    proxied: bool = False


def parse(text: str) -> List[Line]:
    """Split ocserv.conf into lines with their section and option."""
    section, lines = "", []
    for raw in text.splitlines():
        bare = raw.strip(SPACE)
        head = _SECTION.fullmatch(raw)
        option = None if not bare or bare[0] in "#;" else _OPTION.fullmatch(raw)
        if head and not bare.startswith("#"):
            section = head.group(1)
            lines.append(Line(raw, section))
        elif option:
            lines.append(Line(raw, section, option.group(1), _plain(option.group(2))))
        else:
            lines.append(Line(raw, section))
    return lines


def options(text: str) -> Dict[str, str]:
    """The last value of each global option."""
    return {line.name: line.value for line in parse(text) if line.name and not line.section}


def knock(text: str) -> "tuple[str, int]":
    """Where an ocserv with this configuration answers on its own machine: address and TCP port."""
    given = options(text)
    host = given.get("listen-host", "")
    wildcards = ("", "*", "0.0.0.0", "::")  # nosec B104 # read, not bound
    return ("127.0.0.1" if host in wildcards else host), _number("tcp-port", given["tcp-port"])


def full(text: str) -> str:
    """The same configuration, of an ocserv that lets nobody in beside who is there: 0 would be no limit."""
    kept = [line.text for line in parse(text) if line.section or line.name != "max-clients"]
    return "\n".join(["max-clients = 1", *kept]) + "\n"


def derive(text: str, place: Place) -> str:
    """The slot's whole ocserv.conf; raises `option_not_derivable` with the option's name."""
    lines = parse(text)
    for line in lines:
        if not (place.proxied and line.name == PROXIED):
            _refuse(line)
    own = _own(options(text), place)
    ours = frozenset(own) | (OURS - LISTEN if place.front else OURS)
    kept = [line.text for line in lines if not (line.name in ours and (not line.section or line.name == "banner"))]
    first_section = next((n for n, text_line in enumerate(kept) if _is_section(text_line)), len(kept))
    head = [
        f"# Derived by ocgate for slot {place.slot.number}. Edits here are lost; the operator's file is the source."
    ]
    written = [f"{name} = {value}" for name, value in own.items()]
    hosts = _each_told(kept[first_section:], own.get("banner", ""))
    return "\n".join([*head, *kept[:first_section], *written, *hosts]) + "\n"


def _each_told(sections: List[str], banner: str) -> List[str]:
    """The virtual hosts with the message in each: not every version lets them inherit it."""
    if not banner:
        return sections
    return [text for line in sections for text in ([line, f"banner = {banner}"] if _is_section(line) else [line])]


def _own(given: Dict[str, str], place: Place) -> Dict[str, str]:
    slot = place.slot
    chroot = given.get("chroot-dir", "")
    # Below a chroot the path is the operator's folder there, which exists; only the name is ours.
    sec = Path(given.get("socket-file") or "/run/ocserv.socket").parent / f"ocgate-slot-{slot.number}.sock"
    own = {
        "tcp-port": str(place.inner_port),
        "listen-host": slot.host if slot.ipv6 else slot.ipv4,
        "udp-listen-host": slot.host if slot.ipv6 else slot.ipv4,
        "socket-file": str(sec) if chroot else str(place.run / "sec.sock"),
        "occtl-socket-file": str(place.run / "occtl.sock"),
        "pid-file": str(place.run / "ocserv.pid"),
        "use-occtl": "true",
        "device": _device(given.get("device", "vpns"), slot.number),
        "log-level": str(max(LOG_LEVEL, _number("log-level", given.get("log-level", "0")))),
        "ipv4-network": slot.pool4,
    }
    if place.front:
        for name in LISTEN:
            own.pop(name, None)
        own.update({} if "tcp-port" in given else {"tcp-port": str(place.port)})
    elif _number("udp-port", given.get("udp-port", "0")):
        own["udp-port"] = str(place.port)
    if place.proxied:
        own[PROXIED] = "true"
        own.pop("udp-port", None)
        own.pop("udp-listen-host", None)
    if place.message:
        own["banner"] = f'"{place.message}"'
    if slot.pool6:
        own["ipv6-network"] = slot.pool6
        own["ipv6-subnet-prefix"] = "128"
    return own


def _refuse(line: Line) -> None:
    """Raise for an option that would make two instances collide or take the steering away."""
    if line.section and line.name in POOLS:
        raise _no(line.name, f"it stands in [{line.section}], and two slots would give out the same addresses")
    rule = NOT_DERIVABLE.get(line.name)
    why = rule(line.value) if rule else None
    if why:
        raise _no(line.name, why)


def _proxied(value: str) -> Optional[str]:
    return (
        "behind a proxy the kernel sees one address for all clients" if value.lower() in ("true", "yes", "1") else None
    )


def _always(why: str) -> Callable[[str], Optional[str]]:
    return lambda _value: why


def _relative(value: str) -> Optional[str]:
    # pkcs11:, tpmkey: and system: are URLs of keys, no paths.
    if not value or value.startswith("/") or re.match(r"[a-z0-9]+:", value):
        return None
    return f"the path {value!r} is relative, and a slot starts elsewhere"


NOT_DERIVABLE: Dict[str, Callable[[str], Optional[str]]] = {
    "listen-netns": _always("a slot listens in the gateway's own network namespace"),
    "listen-clear-file": _always("ocserv 1.1.2 removed it"),
    "unix-conn-file": _always("two slots would share that socket"),
    PROXIED: _proxied,
    "server-cert": _relative,
    "server-key": _relative,
    "ca-cert": _relative,
    "crl": _relative,
    "dh-params": _relative,
    "config-per-user": _relative,
    "config-per-group": _relative,
    "connect-script": _relative,
    "disconnect-script": _relative,
    "chroot-dir": _relative,
}


def _device(prefix: str, slot: int) -> str:
    device = prefix + SUFFIX[slot]
    if len(device) > DEVICE_MAX:
        raise _no("device", f"the prefix {prefix!r} is too long to be extended by a letter")
    return device


def _number(name: str, value: str) -> int:
    if not value.isdigit():
        raise _no(name, f"{value[:40]!r} is no number")
    return int(value)


def _plain(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    # A comment may follow after white space, as in ocserv's own sample.
    return re.split(r"\s+#", value, maxsplit=1)[0]


def _is_section(text: str) -> bool:
    return _SECTION.fullmatch(text) is not None and not text.strip(SPACE).startswith("#")


def _no(name: str, why: str) -> Refused:
    return Refused(
        "option_not_derivable",
        f"The option {name} can't be derived for a slot: {why}. Change it in ocserv.conf first.",
    )
