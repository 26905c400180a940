"""What the host must offer: /dev/net/tun, forwarding, room for tracked connections, a free port and pool."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import List, Union

from . import ability
from .config import Config
from .findings import Finding
from .run import run

# NAT turns tracking on for all forwarded traffic.
CONNTRACK_FULL = 0.8
# ocserv 1.1.6 to 1.5.0 writes the random part of an IPv6 address four bytes too early: the last 32 bits stay zero.
# In a narrower pool it then finds two addresses only for all second sessions of a user (measured with a /112).
NARROWEST6 = 95


def findings(config: Config, number: int) -> List[Finding]:
    """Findings about the host, for a start in slot `number`."""
    steering = [*_conntrack(), *_steering(config)] if config.steers else [_in_place(config)]
    return [*_kernel(), *steering, *_pools(config, number), *narrow(config, number)]


def port_taken(config: Config, number: int) -> List[Finding]:
    """An error where another process listens on the slot's own address."""
    slot = config.slot(number)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # The slot's address may not be there yet; any process on the wildcard address shows all the same.
        tried.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        try:
            tried.bind((slot.ipv4, config.inner_port))
        except OSError as failure:
            say = f"TCP {slot.ipv4}:{config.inner_port} can't be bound ({failure.strerror}); another process holds it."
            return [Finding("error", "port_taken", say)]
    return []


def _kernel() -> List[Finding]:
    found = []
    if not Path("/dev/net/tun").exists():
        found.append(Finding("error", "no_tun", "/dev/net/tun is missing; ocserv can't open a tunnel."))
    if _sysctl("net/ipv4/ip_forward") == 0:
        found.append(
            Finding("warning", "no_forwarding", "net.ipv4.ip_forward is 0; users would reach this machine only.")
        )
    return found


def _conntrack() -> List[Finding]:
    count, most = _sysctl("net/netfilter/nf_conntrack_count"), _sysctl("net/netfilter/nf_conntrack_max")
    if most and count > CONNTRACK_FULL * most:
        say = f"{count} of {most} connections are tracked; raise net.netfilter.nf_conntrack_max."
        return [Finding("warning", "conntrack_full", say)]
    return []


def _steering(config: Config) -> List[Finding]:
    if why := ability.why_not(config):
        return [Finding("error", "no_nft", f"This gateway can't steer now: {why}.")]
    return []


def _in_place(config: Config) -> Finding:
    say = f"This gateway can't steer: {ability.why_not(config)}. A release is put in the place of the one that serves"
    return Finding("note", "no_steering", f"{say}, which cuts who is connected.")


def _pools(config: Config, number: int) -> List[Finding]:
    """The slot's pool must be nobody else's: neither another slot's nor routed elsewhere already."""
    mine = ipaddress.ip_network(config.slot(number).pool4)
    found = []
    for other in config.slots.values():
        if other.number != number and mine.overlaps(ipaddress.ip_network(other.pool4)):
            found.append(
                Finding("error", "pool_overlaps", f"The pools of slot {number} and slot {other.number} overlap.")
            )
    routes = run(["ip", "-4", "route", "show"], timeout=5).out
    for taken in foreign_routes(routes):
        if mine.overlaps(taken):
            found.append(
                Finding(
                    "warning",
                    "pool_routed",
                    f"This host routes {taken} already, which overlaps the slot's pool {mine}.",
                )
            )
    return found


def narrow(config: Config, number: int) -> List[Finding]:
    """A warning where ocserv would soon run out of IPv6 addresses for users with several devices. Pure."""
    pool = config.slot(number).pool6
    if pool is None or ipaddress.ip_network(pool).prefixlen <= NARROWEST6:
        return []
    say = f"ocserv finds only two addresses in slot {number}'s IPv6 pool {pool} for all users who sign in twice"
    return [Finding("warning", "pool6_narrow", f"{say}, and turns the next one away. Make the pool a /64.")]


def foreign_routes(routes: str) -> List[Union[ipaddress.IPv4Network, ipaddress.IPv6Network]]:
    """Networks that `ip route show` routes by other devices than tunnels of ocserv's users. Pure."""
    found = []
    for line in routes.splitlines():
        head = re.match(r"(\d+\.\d+\.\d+\.\d+(?:/\d+)?) .*\bdev (\S+)", line)
        if head and not head.group(2).startswith("vpns"):
            found.append(ipaddress.ip_network(head.group(1), strict=False))
    return list(found)


def _sysctl(name: str) -> int:
    try:
        return int((Path("/proc/sys") / name).read_text())
    except (OSError, ValueError):
        return 0
