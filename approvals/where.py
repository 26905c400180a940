"""Which address a request came from. Pure: what a header says counts only as far as proxies of ours wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

UNKNOWN = "0.0.0.0"  # noqa: S104  # nosec B104 # nothing binds to it: a connection without an address, a unix socket
_SIX = 64  # bits of an IPv6 address that one customer has


def address(meta: Mapping[str, Any], proxies: int) -> str:
    """Return the client's address.

    `proxies` says how many proxies of ours stand in front; each appends the address that it saw to X-Forwarded-For, so
    the client's is that many from the end and what is left of it was written by whoever asks. With 0, or a header that
    is too short or no address there, it is the address of the connection.
    """
    seen = _read(str(meta.get("REMOTE_ADDR") or "")) or UNKNOWN
    if proxies <= 0:
        return seen
    hops = str(meta.get("HTTP_X_FORWARDED_FOR") or "").split(",")
    return (_read(hops[-proxies]) if len(hops) >= proxies else "") or seen


def network(client: str) -> str:
    """What counts as one place: an IPv4 address, or the 64-bit network of an IPv6 address."""
    known = _parsed(client)
    return str(IPv6Network((known, _SIX), strict=False)) if isinstance(known, IPv6Address) else client


def _read(text: str) -> str:
    known = _parsed(text)
    return str(known) if known else ""


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        known = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    # An IPv4 client on a socket that takes both is one client, not another.
    return (known.ipv4_mapped or known) if isinstance(known, IPv6Address) else known
